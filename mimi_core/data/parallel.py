"""Work on many images in threads: Pillow decodes and resizes outside Python's lock."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mimi_core.data.types import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
CHUNK = 64  # images between two calls of on_progress


def in_chunks(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int, on_progress: Progress | None = None
) -> Iterator[list[Result]]:
    """Results of `work`, in the order of `items`, a few dozen at a time: no more than these are held here.

    Args:
        on_progress: called with (items done, items in all) after every chunk.
    """
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            yield list(pool.map(work, chunk))
            if on_progress:
                on_progress(start + len(chunk), len(items))
