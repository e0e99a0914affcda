"""Drives one run in one process: records its events, logs them, and turns every way to end into a clear status."""

import contextlib
import logging
import signal
import time
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from types import FrameType

import torch

from mimi_core.config import read_run_config
from mimi_core.errors import OUT_OF_MEMORY, MimiError, ResourceError, RunError, lack_of_means
from mimi_core.runs import files, writing
from mimi_core.runs.describe import describe
from mimi_core.runs.events import Event, Outcome, RunEnded, read_events
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.status import Status
from mimi_core.train.cycle import run as run_events

_log = logging.getLogger("mimi")


def work(
    run: Path, on_event: Callable[[Event], None] | None = None, on_update: Callable[[Status], None] | None = None
) -> Outcome:
    """Do the run in a folder, or what is left of it.

    Ctrl-C and TERM stop it; it can be resumed. The folder's status, events and log tell the end in every case.

    Returns:
        "finished" or "stopped".

    Raises:
        MimiError: the run failed; the status says so already.
    """
    config = read_run_config(run / files.CONFIG)
    with Recorder(run, on_update) as recorder:
        if _is_finished(recorder):
            recorder.tidy_finished()
            raise RunError(f"{run.name} is finished; start a new run to change something")
        handler: logging.Handler = logging.NullHandler()
        previous = signal.signal(signal.SIGTERM, _interrupt)
        outcome: Outcome = "failed"
        started = time.time()
        try:
            handler = _log_to(run)
            for event in run_events(config, recorder):
                _record(recorder, event, on_event)
                if isinstance(event, RunEnded):
                    outcome = event.status
                    progress = {"progress": 1.0} if outcome == "finished" else {}
                    recorder.update(phase=outcome, message=event.message, from_queue=False, **progress)
            if outcome == "finished":
                recorder.forget_state()
            return outcome
        except KeyboardInterrupt:
            _end(recorder, "stopped", "told to end at once", started, on_event)
            return "stopped"
        except SystemExit:
            raise
        # Every end is told: what is ours as one line, what is not with its traceback. A panic of safetensors, as when
        # there is no memory, is no Exception.
        except BaseException as error:
            failure = _explained(error)
            if not isinstance(error, MimiError):
                _log.exception("unexpected error")
            _end(recorder, "failed", str(failure), started, on_event)
            raise failure from error
        finally:
            signal.signal(signal.SIGTERM, previous)
            _log.removeHandler(handler)
            handler.close()


def _record(recorder: Recorder, event: Event, on_event: Callable[[Event], None] | None) -> None:
    recorder.emit(event)
    _log.info(describe(event))
    if on_event is not None:
        on_event(event)


def _end(
    recorder: Recorder, outcome: Outcome, message: str, started: float, on_event: Callable[[Event], None] | None
) -> None:
    """Tell the end as far as the disk still allows."""
    try:
        recorder.end(outcome, message)
        now = time.time()
        seconds = now - (recorder.status.began or started)
        _record(recorder, RunEnded(time=now, status=outcome, message=message, seconds=seconds), on_event)
    except MimiError as error:
        _log.error("the end could not be recorded: %s", error)


def _explained(error: BaseException) -> MimiError:
    if isinstance(error, MimiError):
        return error
    text = " ".join(str(error).split())
    if isinstance(error, torch.OutOfMemoryError):
        return ResourceError(OUT_OF_MEMORY)
    if lack := lack_of_means(error):
        return lack
    return RunError(f"unexpected {type(error).__name__}: {text[:300]}; the run's log has the details")


def _is_finished(recorder: Recorder) -> bool:
    ended = read_events(recorder.run / files.EVENTS).ended
    return ended is not None and ended.status == "finished"


class _Log(logging.FileHandler):
    """Opened as everything is that is written in a run folder. A full disk keeps lines from it, and does not fill the
    terminal with tracebacks."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the library's name)
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        return TextIOWrapper(writing.extended(path.parent, path.name), encoding=self.encoding)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _log_to(run: Path) -> logging.FileHandler:
    handler = _Log(run / files.LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    return handler
