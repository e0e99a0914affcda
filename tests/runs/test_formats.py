"""The files of a run folder: those of the version before open, and those of a later one are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from mimi_core.errors import RunError
from mimi_core.resources import EXAMPLES
from mimi_core.runs import files
from mimi_core.runs.formats import cycle_weights, gallery, npz, safe_state, scores, versions
from mimi_core.runs.store import Store

TENSORS = {"model/head": np.arange(6, dtype=np.float32).reshape(2, 3), "seen/a.b/taylor": np.ones(2, np.float32)}
METADATA = {"cycle": 1, "epoch": 2, "seconds": 3.5}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A bundled run: its files were written before there were versions."""
    source = next(EXAMPLES.glob("*demo-global*"))
    return Path(shutil.copytree(source, tmp_path / source.name))


def test_files_from_before_there_were_versions_open(example: Path) -> None:
    state = Store(example.parent).state(example.name)
    alive = [{site: n for site, n in widths.items() if n} for widths in state.widths]
    with safe_open(cycle_weights.path_of(example, 1), framework="numpy") as file:
        assert versions.KEY not in (file.metadata() or {})
    assert cycle_weights.read(example, 1)
    raw, survivors = scores.read_scores_of_cut(example, 1, alive[0], state.widths[1])
    assert {site: len(kept) for site, kept in survivors.items()} == {s: state.widths[1][s] for s in alive[0]}
    assert raw["mimi"].keys() == alive[0].keys()
    assert scores.read_end(example, len(alive) - 1, alive[-1])["mimi"].keys() == alive[-1].keys()
    images = gallery.read_gallery(example)
    assert gallery.read_probabilities(example, 0, images, 10).shape == (len(images.index), 10)


def test_what_is_written_is_read_again_and_says_its_version(tmp_path: Path) -> None:
    (tmp_path / "cycles" / "0").mkdir(parents=True)
    cycle_weights.write(tmp_path, 0, {"model.head": np.ones(3)}, {"cycle": 0})
    assert cycle_weights.read(tmp_path, 0)["model.head"].tolist() == [1, 1, 1]
    stored_scores = scores.arrays({"mimi": {"a/b": np.array([1.0, 2.0])}}, {})
    npz.write(tmp_path, files.in_cycle(0, f"{scores.AT_THE_END}.npz"), stored_scores)
    assert scores.read_end(tmp_path, 0, {"a/b": 2})["mimi"]["a/b"].tolist() == [1, 2]
    with np.load(scores.path_of(tmp_path, 0, scores.AT_THE_END)) as stored:
        assert stored[versions.KEY] == npz.VERSION


@pytest.mark.parametrize("version", [2, 10**9])
def test_a_file_of_a_later_version_is_refused_with_a_remedy(version: int, tmp_path: Path) -> None:
    (tmp_path / "cycles" / "0").mkdir(parents=True)
    (tmp_path / "resume").mkdir()
    save_file({"model.x": np.ones(1)}, cycle_weights.path_of(tmp_path, 0), {versions.KEY: json.dumps(version)})
    np.savez(gallery.gallery_path(tmp_path), index=np.arange(1), version=np.array(version))
    state = {"state": json.dumps({**METADATA, "events_size": 0, versions.KEY: version})}
    save_file(TENSORS, tmp_path / files.RESUME / "newest.safetensors", state)
    readers = (
        lambda: cycle_weights.read(tmp_path, 0),
        lambda: gallery.read_gallery(tmp_path),
        lambda: list(safe_state.candidates(tmp_path)),
    )
    for read in readers:
        with pytest.raises(RunError, match=r"later version of this program.*update"):
            read()


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5, [1], {}])
def test_a_version_that_is_none_is_refused(version: object, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no version"):
        versions.refuse_newer(version, 1, "a file")


def test_a_safe_state_of_the_version_before_has_no_checksum_and_opens(tmp_path: Path) -> None:
    (tmp_path / "resume").mkdir()
    state = {"state": json.dumps({**METADATA, "events_size": 7})}
    save_file(TENSORS, tmp_path / files.RESUME / "newest.safetensors", state)
    ((tensors, metadata), size) = next(safe_state.candidates(tmp_path))
    assert (metadata, size) == (METADATA, 7)
    assert tensors["model/head"].tolist() == TENSORS["model/head"].tolist()


def test_a_flipped_bit_falls_back_to_the_state_before(tmp_path: Path) -> None:
    """Every bit of the tensors counts: a state that goes on with other numbers is worse than none."""
    safe_state.write(tmp_path, TENSORS, METADATA)
    safe_state.write(tmp_path, {k: v + 1 for k, v in TENSORS.items()}, {**METADATA, "epoch": 3})
    newest = tmp_path / files.RESUME / "newest.safetensors"
    whole = newest.read_bytes()
    payload = 8 + int.from_bytes(whole[:8], "little")
    for place in range(payload, len(whole)):
        newest.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert [state[1]["epoch"] for state, _ in safe_state.candidates(tmp_path)] == [2]
    newest.write_bytes(whole)
    assert [state[1]["epoch"] for state, _ in safe_state.candidates(tmp_path)] == [3, 2]


def test_a_state_that_was_cut_off_falls_back_to_the_one_before(tmp_path: Path) -> None:
    safe_state.write(tmp_path, TENSORS, METADATA)
    safe_state.write(tmp_path, TENSORS, {**METADATA, "epoch": 3})
    newest = tmp_path / files.RESUME / "newest.safetensors"
    whole = newest.read_bytes()
    for length in range(0, len(whole), 7):
        newest.write_bytes(whole[:length])
        assert [state[1]["epoch"] for state, _ in safe_state.candidates(tmp_path)] == [2]


def test_keys_name_what_they_hold() -> None:
    assert cycle_weights.adapter_part(cycle_weights.adapter_key("layers.0.blocks.1.mlp", "down")) == (
        "layers.0.blocks.1.mlp",
        "down",
    )
    assert cycle_weights.adapter_part(cycle_weights.model_key("head.fc.weight")) is None
    assert cycle_weights.model_name(cycle_weights.model_key("head.fc.weight")) == "head.fc.weight"
    assert safe_state.brought_scores(
        {safe_state.score_key("mimi", "a/b"): np.ones(1), "model/x": np.ones(1)}
    ).keys() == {"mimi"}
