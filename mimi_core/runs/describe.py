"""Events as one line of plain text each, for the log and the terminal; and what is known of a worker's death."""

import math
import signal
import time

from mimi_core.rounding import percent
from mimi_core.runs.events import EpochEnded, Evaluated, Event, Pruned, Ranked, RunEnded, RunStarted, Scored, Warned
from mimi_core.runs.status import Status

FULL = 1_000_000
"""With fewer bytes left a disk is full to a run."""


def describe(event: Event) -> str:
    match event:
        case RunStarted():
            width = sum(event.initial_widths.values())
            if event.decides_ranks:
                sites = f"{len(event.sites)} matrices, {width} ranks, "
                ahead = (
                    f"{percent(event.keep_fractions[0])} of the ranks to be left" if event.keep_fractions else "no cuts"
                )
            else:
                sites = f"{len(event.sites)} adapters, {width} neurons, " if event.sites else ""
                ahead = f"{len(event.keep_fractions)} cuts to come"
            return (
                f"{sites}{event.trained_parameters:,} trained parameters, {ahead}; "
                f"{event.split_sizes['train']} training images; {event.device}"
            )
        case EpochEnded():
            return (
                f"cycle {event.cycle} epoch {event.epoch}: loss {event.loss:.4f}, "
                f"training accuracy {percent(event.accuracy)}, {event.images_per_second:.0f} images/s"
            )
        case Scored():
            kept = percent(event.keep_fraction)
            return f"cut {event.cycle}: scored by {event.score}, keeping {kept} of the first neurons"
        case Pruned():
            gone = f"; gone: {', '.join(event.removed)}" if event.removed else ""
            return (
                f"cut {event.cycle}: {event.neurons_before} -> {event.neurons_after} neurons, "
                f"{event.trained_parameters:,} trained parameters, {event.seconds * 1000:.0f} ms{gone}"
            )
        case Ranked():
            empty = [matrix for matrix, left in event.ranks.items() if not left]
            none = f"; none left: {', '.join(empty)}" if empty else ""
            return (
                f"ranks decided: {event.ranks_before} -> {event.ranks_after} ranks, "
                f"{event.trained_parameters:,} trained parameters{none}"
            )
        case Evaluated():
            when = "right after the cut" if event.stage == "cut" else "after training"
            return (
                f"cycle {event.cycle} {when}: {event.split} accuracy {percent(event.accuracy)}, loss {event.loss:.4f}"
            )
        case Warned():
            return f"warning: {event.message}"
        case RunEnded():
            return f"{event.status} after {event.seconds:.1f} s{': ' + event.message if event.message else ''}"


def describe_death(status: Status, free_bytes: int | None = None) -> str:
    """Why a worker that ended without a word is gone, as far as anybody can know. Plain text, two sentences at most.

    Args:
        free_bytes: that are left now on the disk that the run is on.
    """
    code = status.exit_code
    if free_bytes is not None and free_bytes < FULL and (code is None or code > 0):
        return (
            f"The disk that it is on is full ({free_bytes:,} bytes are left), so most likely it could not write any "
            "more, and not even why it ended. Free some space first."
        )
    if code is None:
        return (
            "How it ended is not known: it was killed, ran out of memory, or the machine was restarted, "
            "and nobody was there to see it."
        )
    return describe_exit(code, status.out_of_memory)


def describe_exit(code: int, out_of_memory: bool = False) -> str:
    """What an exit code tells of a process that ended without a word.

    Args:
        out_of_memory: whether the system killed for lack of memory meanwhile.
    """
    if code == -signal.SIGKILL and out_of_memory:
        return (
            "It was killed (signal 9, SIGKILL), and in that time the system killed for lack of memory: lower "
            "train.batch_size or backbone.image_size, or give it more memory."
        )
    if code == -signal.SIGKILL:
        return "It was killed (signal 9, SIGKILL): most often by the system when memory ran out, or by a person."
    if code < 0:
        crashed = -code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
        return f"It {'crashed in a library' if crashed else 'was ended'} (signal {-code}, {_signal_name(-code)})."
    return f"It ended with exit code {code} before it could say why; the end of its log may."


def describe_wait(deaths: int, retry_at: float | None) -> str:
    """That a queued run goes on by itself after a death, and when: "died twice, goes on in 25 s". Empty for others."""
    if retry_at is None:
        return ""
    left = math.ceil(retry_at - time.time())
    return f"died {times(deaths)}, goes on {f'in {left} s' if left > 0 else 'as soon as a slot is free'}"


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
