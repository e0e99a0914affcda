"""What lies in a folder of images and is not used: counted by reason and by ending, so that it is said."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

Reason = Literal["leftover", "raw", "heic", "other"]
Unused = Mapping[tuple[Reason, str], int]
"""(Why, ending in small letters) -> files."""

_LEFTOVER_FOLDERS = frozenset(
    (
        "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb", "@sharebin", "@tmp",
        "$recycle.bin", "system volume information", "recycler", "lost+found", "__macosx", "network trash folder",
        "temporary items", "__pycache__",
    )
)  # fmt: skip
"""Of Synology, QNAP, Windows, Linux, macOS and notebooks; those that begin with a dot are left out anyway."""
_LEFTOVER_FILES = frozenset(("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "@eadir"))
_RAW = frozenset(
    """.3fr .arw .cr2 .cr3 .crw .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .sr2 .srw
    .x3f""".split()
)
HEIC = frozenset((".heic", ".heif", ".hif"))
_SAID: dict[Reason, str] = {
    "other": "no images that can be read",
    "raw": "raw files of cameras, which hold no finished picture: convert them to have them used",
    "heic": "HEIC: pip install pillow-heif, or convert them, to have them used",
    "leftover": "leftovers of other programs",
}


def is_leftover(name: str) -> bool:
    """Whether a file or folder of that name is hidden, or what a NAS, Windows, macOS or a notebook leaves behind."""
    small = name.casefold()
    return name.startswith(".") or small in _LEFTOVER_FOLDERS or small in _LEFTOVER_FILES


def reason_for(path: Path) -> tuple[Reason, str]:
    """Why a file that is no image is left out, and its ending."""
    ending = path.suffix.lower()
    if is_leftover(path.name):
        return "leftover", ending
    return "raw" if ending in _RAW else "heic" if ending in HEIC else "other", ending


def together(parts: Iterable[Unused]) -> Unused:
    """The counts of several folders in one."""
    counts: Counter[tuple[Reason, str]] = Counter()
    for part in parts:
        counts.update(part)
    return counts


def in_words(unused: Unused) -> Iterator[str]:
    """A sentence for each reason: `25 files left out: 20 .txt, 5 .zip (no images that can be read).`"""
    for reason, said in _SAID.items():
        of = {ending: count for (why, ending), count in unused.items() if why == reason}
        if of:
            ordered = sorted(of.items(), key=lambda item: (-item[1], item[0]))
            named = ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in ordered)
            total = sum(of.values())
            yield f"{total:,} file{'s' * (total != 1)} left out: {named} ({said})."
