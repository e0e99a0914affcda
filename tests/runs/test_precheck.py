"""The check's process: its answers, its stages, and its end, whatever the program does."""

import gc
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from mimi_core.config import make_config
from mimi_core.runs.jobs import checking as precheck
from mimi_core.runs.jobs.check_report import CheckReport
from mimi_core.runs.jobs.checking import Checking, check_all

CONFIG = make_config(preset="quick")
Program = Callable[[str], None]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a few lines of Python in the place of `python -m mimi_core check`."""

    def replace(source: str) -> None:
        command = [sys.executable, "-S", "-c", f"import sys, time\n{source}"]
        monkeypatch.setattr(precheck, "_command", lambda paths: [*command, *map(str, paths)])

    monkeypatch.setenv("MIMI_SLOTS", "cpu")
    return replace


def waited(checking: Checking) -> list[CheckReport]:
    while (found := checking.poll()) is None:
        time.sleep(0.01)
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_report_for_each_config(program: Program) -> None:
    program('for file in sys.argv[1:]:\n print(\'noise\')\n print(\'{"ok": true, "seconds": 7, "later": "field"}\')')
    assert [(report.ok, report.seconds) for report in check_all([CONFIG, CONFIG])] == [(True, 7), (True, 7)]
    assert check_all([]) == []


def test_the_config_arrives(program: Program) -> None:
    program("import json\nprint(json.dumps({'ok': True, 'device': open(sys.argv[1]).read()}))")
    (report,) = check_all([CONFIG])
    assert "name: quick look" in report.device


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("print('stage: x', file=sys.stderr); raise SystemExit('boom\\n')", "the check itself failed: boom"),
        ("", "it said nothing"),
        ("print('[1]')", "it said nothing"),
        ("print('\\x00\\x1b{'); sys.stderr.buffer.write(b'\\xff\\xfe')", "the check itself failed"),
    ],
)
def test_a_program_that_fails(program: Program, source: str, says: str) -> None:
    program(source)
    (report,) = check_all([CONFIG])
    assert not report.ok
    assert says in (report.error or "")


def test_a_program_that_is_killed_is_not_said_to_have_said_nothing(program: Program) -> None:
    program("print('warning: x', file=sys.stderr, flush=True)\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    (report,) = check_all([CONFIG])
    assert "It was killed (signal 9, SIGKILL)" in (report.error or "")
    assert "memory" in (report.error or "")


def test_what_was_found_before_a_crash_is_kept(program: Program) -> None:
    program("print('{\"ok\": true}', flush=True)\nraise SystemExit('killed')")
    first, second = check_all([CONFIG, CONFIG])
    assert first.ok
    assert second.error == "the check itself failed: killed"


def test_a_check_that_never_ends_is_ended(program: Program) -> None:
    program("time.sleep(100)")
    (report,) = check_all([CONFIG], timeout=0.2)
    assert report.error == "the check itself failed: this took longer than 0 s and was ended"


def test_stages_are_told_while_it_works(program: Program) -> None:
    program("print('warning: x\\nstage: reading', file=sys.stderr, flush=True)\ntime.sleep(100)")
    checking = Checking([CONFIG])
    assert checking.poll() is None
    until(lambda: checking.stage == "reading")
    assert 0 < checking.seconds < 60


def test_cancelling_ends_the_process_and_what_it_started(program: Program) -> None:
    loader = f"import subprocess\nsubprocess.Popen([{sys.executable!r}, '-S', '-c', 'import time; time.sleep(100)'])"
    program(f"{loader}\nprint('stage: on', file=sys.stderr, flush=True)\ntime.sleep(100)")
    checking = Checking([CONFIG])
    until(lambda: checking.stage == "on")
    process = psutil.Process(checking._job._process.pid)
    family = [process, *process.children()]
    assert len(family) == 2
    checking.cancel()
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))
    assert [report.error for report in waited(checking)] == ["the check itself failed: cancelled"]


def test_a_check_that_nobody_waits_for_is_ended(program: Program) -> None:
    """As when the browser's tab is closed and its session forgotten."""
    program("time.sleep(100)")
    checking = Checking([CONFIG])
    process, folder = psutil.Process(checking._job._process.pid), checking._job.folder
    del checking
    gc.collect()
    until(lambda: not process.is_running())
    assert not folder.exists()
