"""Work on many images in threads: Pillow decodes and resizes outside Python's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from mimi_core.data.types import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
CHUNK = 64  # images between two calls of on_progress


@contextmanager
def pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that are gone afterwards; what they have not begun by then is not done."""
    executor = ThreadPoolExecutor(max(1, threads))
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def ahead(begin: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """What `begin` gives for every item, in order; it is called for `count` items more than were handed out."""
    begun: deque[Result] = deque()
    for item in items:
        begun.append(begin(item))
        if len(begun) > count:
            yield begun.popleft()
    while begun:
        yield begun.popleft()


def in_chunks(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int, on_progress: Progress | None = None
) -> Iterator[list[Result]]:
    """Results of `work`, in the order of `items`, a few dozen at a time: no more than twice these are held here.

    Args:
        on_progress: called with (items done, items in all) after every chunk.
    """
    done = 0
    starts = range(0, len(items), CHUNK)
    with pool(threads) as workers:
        for futures in ahead(lambda at: [workers.submit(work, item) for item in items[at : at + CHUNK]], starts, 1):
            yield [future.result() for future in futures]
            done += len(futures)
            if on_progress:
                on_progress(done, len(items))
