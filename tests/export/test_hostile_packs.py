"""Packs from strangers: each is one ExportError in one line, soon, in little memory, and without any request."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from mimi_core.backbones import cvt
from mimi_core.errors import ExportError
from mimi_core.export import load_pack
from mimi_core.export.pack import write_pack
from mimi_core.runs.store import Store
from tests.export import hostile

PROGRAM = """
import json, resource, socket, sys
from pathlib import Path

def refuse(*arguments, **others):
    asked.append(str(arguments)[:200])
    raise OSError("no network in this test")

asked = []
socket.getaddrinfo = socket.create_connection = refuse
socket.socket.connect = socket.socket.connect_ex = refuse

from mimi_core.errors import ExportError
from mimi_core.export import load_pack

for what, path in json.loads(Path(sys.argv[1]).read_text()).items():
    asked.clear()
    print(json.dumps({"what": what}), flush=True)
    try:
        load_pack(path)
        told = "it loads"
    except ExportError as error:
        told = "ExportError: " + str(error)
    except BaseException as error:
        told = f"{type(error).__name__}: {error}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"what": what, "told": told, "asked": list(asked), "kilobytes": peak}), flush=True)
"""


@pytest.fixture(scope="module")
def pack(store: Store, pruned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packs") / "pack.zip"
    write_pack(pruned, store.config(pruned.name), 2, target)
    return target


@pytest.fixture(scope="module")
def answers(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What -> what happened, all in one process of its own, which a parser may take down."""
    folder = tmp_path_factory.mktemp("hostile")
    packs = hostile.files(folder, pack)
    (folder / "packs.json").write_text(json.dumps({what: str(path) for what, path in packs.items()}))
    command = [sys.executable, "-c", PROGRAM, str(folder / "packs.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, (done.returncode, lines[-1:], done.stderr[-2000:])
    return {line["what"]: line for line in lines if "told" in line}


def test_there_are_many_and_a_whole_one_loads(answers: dict[str, dict[str, object]], pack: Path) -> None:
    assert len(answers) >= 80
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_pack(hostile.write(hostile.parts_of(pack), pack.with_name("again.zip"))).class_names) == 10


def test_each_is_one_error_in_one_line(answers: dict[str, dict[str, object]]) -> None:
    wrong = {what: answer["told"] for what, answer in answers.items() if not _is_one_line(str(answer["told"]))}
    assert wrong == {}


def _is_one_line(told: str) -> bool:
    return told.startswith("ExportError: ") and "\n" not in told and len(told) < 1000


def test_no_request_leaves(answers: dict[str, dict[str, object]]) -> None:
    assert {what: answer["asked"] for what, answer in answers.items() if answer["asked"]} == {}


def test_little_memory_is_taken(answers: dict[str, dict[str, object]]) -> None:
    """What torch and the bundled backbone take, and not what a pack would like."""
    peaks = [int(str(answer["kilobytes"])) for answer in answers.values()]
    assert max(peaks) < min(peaks) + 1_000_000


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("empty config", "does not say which method on which backbone"),
        ("config of a seed", "does not say which method on which backbone"),
        ("deep config", "deeply nested"),
        ("huge image", "preprocessing.image_size"),
        ("a file of the maker", "came from a file, zero: say where it is here, with checkpoint=FILE"),
        (
            "a backbone of the hub",
            "vit_tiny_patch16_224, which is not on this machine.*allow_download=True.*checkpoint=",
        ),
        ("a repository of the hub", "hf-hub:evil/model, which is not on this machine.*allow_download=True"),
        ("a repository without weights", "hf-hub:evil/model, which is not on this machine.*allow_download=True"),
        ("a model of transformers", "hf:microsoft/cvt-13, which is not on this machine.*allow_download=True"),
        ("NaN", "NaN or infinity"),
        ("whole numbers", "int32, not torch.float32"),
        ("rank", "peft.rank=1,000,000"),
        ("an enormous backbone", "GiB of memory are free|no weights|does not fit"),
        ("later format", "later version of this program"),
        ("absent", "not found"),
        ("an unknown backbone", "unknown backbone 'no_such_model'"),
        ("a folder for a backbone", "unknown backbone 'local-dir:/etc'"),
        ("later weights", r"zip: adapters\.safetensors was written by a later version"),
        ("a device", "no regular file"),
    ],
)
def test_what_is_said(what: str, words: str, answers: dict[str, dict[str, object]]) -> None:
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(answers[what]["told"])


def test_a_download_that_was_asked_for_is_tried(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(name: str) -> Path:
        asked.append(name)
        raise OSError("no network in this test")

    monkeypatch.setattr(cvt, "fetch", fetch)
    path = hostile.write(hostile.backbone("hf:microsoft/cvt-13")(hostile.parts_of(pack)), tmp_path / "cvt.zip")
    with pytest.raises(ExportError, match="could not be fetched"):
        load_pack(path, allow_download=True)
    assert asked == ["hf:microsoft/cvt-13"]
