"""The house stays one in which things are found: no file is too long to read, and most are short."""

from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
LONGEST, USUAL = 400, 150


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_too_long_and_most_are_short() -> None:
    files = [
        path for room in ("mimi_core", "pages", "tests", "benchmarks", "docs") for path in (ROOT / room).rglob("*.py")
    ]
    lengths = {path.relative_to(ROOT).as_posix(): lines(path) for path in [ROOT / "app.py", *files]}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
    assert median(length for length in lengths.values() if length) <= USUAL
