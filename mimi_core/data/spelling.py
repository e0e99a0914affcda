"""Class names that look alike and are not: other Unicode forms of one name are one name, others are told apart."""

import difflib
import unicodedata
from collections.abc import Collection


def normal(name: str) -> str:
    """The name in the form in which most systems write it (NFC): macOS writes an accent as a letter of its own."""
    return unicodedata.normalize("NFC", name)


def alike(name: str, others: Collection[str]) -> str:
    """The end of a message about a name that is not there: the one that looks like it, and wherein they differ."""
    twin = next((other for other in others if _folded(other) == _folded(name)), None)
    near = [twin] if twin else difflib.get_close_matches(name, others, n=1, cutoff=0.5)
    if not near:
        return ""
    hidden = twin is not None or not (name + near[0]).isascii()
    spelled = f", which is spelled {_code_points(near[0])} and not {_code_points(name)}" if hidden else ""
    return f"; there is {near[0]!r}{spelled}"


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in plain if unicodedata.category(letter) not in ("Cf", "Zs"))


def _code_points(name: str) -> str:
    return " ".join(f"U+{ord(letter):04X}" for letter in name[:40])
