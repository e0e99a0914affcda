"""`runs.writing` is the only module that changes what is in a run folder: read from the source of all others."""

import ast
from pathlib import Path

import pytest

import mimi_core

WRITERS = {
    "write_text", "write_bytes", "unlink", "touch", "mkdir", "rmtree", "copy", "copyfile", "copytree", "copy2", "move",
    "copyfileobj", "truncate", "ftruncate", "save_file", "savez", "savez_compressed", "symlink_to", "hardlink_to",
    "removedirs", "makedirs", "rmdir", "FileHandler",
}  # fmt: skip
"""Functions that change files, whatever they are called on."""
OF_THE_SYSTEM = {"open", "rename", "replace", "remove", "write"}
"""Those that do so only in `os`."""
ELSEWHERE = {
    "runs/writing.py": "the one",
    "runs/files.py": "reports and exports, where a person says; the worker's lock, which is not made",
    "runs/store.py": "the draft of a new run, under a name that nobody knows",
    "runs/queue/dispatcher.py": "the queue's own folder",
    "runs/queue/slots.py": "the queue's own folder",
    "runs/jobs/job.py": "temporary folders",
    "runs/jobs/checking.py": "temporary folders",
    "runs/formats/npz.py": "into a file that `runs.writing` has opened",
    "export/opened_pack.py": "temporary folders",
    "sweeps/matching.py": "the folder of all runs",
    "train/fetch.py": "datasets",
    "train/pretrain_demo.py": "the bundled backbone",
}
"""Modules that change files, and which."""


def changes(tree: ast.AST) -> list[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f"line {call.lineno}: {ast.unparse(call)[:80]}" for call in calls if _changes(call)]


def _changes(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in WRITERS - {"copy"} or (call.func.id == "open" and _to_write(call))
    if not isinstance(call.func, ast.Attribute):
        return False
    name, of = call.func.attr, ast.unparse(call.func.value)
    if of in ("writing", "files") or (name == "copy" and of not in ("shutil",)):
        return False
    return name in WRITERS or (name == "open" and _to_write(call)) or (of == "os" and name in OF_THE_SYSTEM)


def _to_write(call: ast.Call) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes)


@pytest.mark.parametrize("room", ["runs", "train", "methods", "adapters", "export", "sweeps", "analysis"])
def test_no_other_module_changes_run_folders(room: str) -> None:
    top = Path(mimi_core.__file__).parent
    modules = {str(path.relative_to(top)): path for path in (top / room).rglob("*.py")}
    told = {name: changes(ast.parse(path.read_text(encoding="utf-8"))) for name, path in modules.items()}
    assert {name: writes for name, writes in told.items() if writes and name not in ELSEWHERE} == {}
    assert {name for name in ELSEWHERE if name.startswith(f"{room}/") and not told[name]} == set(), "none is left over"


@pytest.mark.parametrize(
    "line",
    ["p.write_text('x')", "p.open('ab')", "open(p, mode='w')", "os.replace(a, b)", "p.unlink()", "shutil.rmtree(p)",
     "shutil.copytree(a, b)", "os.open(p, os.O_WRONLY)", "save_file(t, p)", "logging.FileHandler(p)"],
)  # fmt: skip
def test_what_changes_files_is_seen(line: str) -> None:
    assert changes(ast.parse(line))
