"""Writes the tables of scores and methods in docs/method.md from their catalogues: `make catalogues`."""

import re
from pathlib import Path

from mimi_core.config.methods import METHODS
from mimi_core.scores.catalogue import SCORES

FILE = Path(__file__).with_name("method.md")
_KNOWN = {
    "from weights": "from the weights at the cut",
    "watched": "watched while the cycle trains",
    "at the start": "before any training, once",
    "by lot": "by lot",
}


def scores() -> str:
    rows = [
        (f"`{score.name}`", score.words, f"{score.formula}{'' if score.divided else '; never divided'}",
         _KNOWN[score.known], score.source)
        for score in SCORES.values()
    ]  # fmt: skip
    return _table(("`prune.score`", "in words", "raw number of neuron j", "known", "source"), rows)


def methods() -> str:
    rows = [
        (f"`{method.name}`", method.label, f"{method.words}{' Plain ViTs only.' * method.needs_plain_vit}",
         ", ".join(f"`{path}`" for path in method.uses or ()), method.source)
        for method in METHODS.values()
    ]  # fmt: skip
    return _table(("`method`", "called", "what it does", "its settings", "source"), rows)


TABLES = {"scores": scores, "methods": methods}


def written(text: str) -> str:
    """The document with its tables as the catalogues have them now. Raises ValueError where a table has no place."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"docs/method.md has no place for the table of {name}")
        text = re.sub(f"{begin}.*?{end}", lambda _, t=table, b=begin, e=end: f"{b}{t()}{e}", text, flags=re.DOTALL)
    return text


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *([_linked(cell.replace("|", "\\|")) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _linked(cell: str) -> str:
    return re.sub(r"arXiv (\d{4}\.\d{5})", r"[arXiv \1](https://arxiv.org/abs/\1)", cell)


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    print(FILE)
