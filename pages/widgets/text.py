"""Text that somebody else wrote, as a page may show it; and labels that can be told apart."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

Option = TypeVar("Option")
_LINKLIKE = re.compile(r"://|@|www(?=\.)")
_MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """Untrusted text, for where Streamlit reads Markdown: shown as written, never as links, images or code."""
    unlinked = _LINKLIKE.sub("\\g<0>\u2060", " ".join(text.split()))  # an invisible joiner where a link would start
    return _MARKDOWN.sub(r"\\\1", unlinked)


def distinct(options: Iterable[Option], words: Callable[[Option], str]) -> dict[Option, str]:
    """A label for every option, no two alike: where words are equal, the options themselves stand behind them.

    Streamlit's widgets send labels, and take the last option that has one: whoever chose the first gets another.
    """
    labels = {option: words(option) for option in options}
    while twice := {label for label, times in Counter(labels.values()).items() if times > 1}:
        labels = {option: f"{label} ({option})" if label in twice else label for option, label in labels.items()}
    return labels
