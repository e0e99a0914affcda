"""What it costs a run that somebody watches it: the same run alone and with Monitor open in Chromium, in turns.

    python -m benchmarks.watched

Server and browser are warm in both cases, as they are for somebody who has queued the run there. Writes
results/watched.json. Loopback only.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import served
from mimi_core.config import make_config
from mimi_core.runs.control import submit
from mimi_core.runs.store import Store

PAIRS, LOOKING = 6, 0.5
"""`LOOKING`: seconds between two looks of the benchmark itself; it must not slow the run either."""
SETTINGS = ["train.epochs=20"]
Turn = tuple[float, float, float]
"""Seconds of the run; CPU seconds of server and browser for each of them."""


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no Chromium found: apt-get install chromium")
    alone: list[Turn] = []
    watched: list[Turn] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for pair in range(PAIRS):
            for turns in (alone, watched) if pair % 2 else (watched, alone):  # so that a drift favours neither
                page = browser.new_page()
                turns.append(one_run(Path(folder) / f"{pair}-{turns is watched}", page, turns is watched))
                page.close()
                print(f"{'watched' if turns is watched else 'alone':8} {turns[-1][0]:.2f} s", flush=True)
        browser.close()
    slower = [100 * (seen[0] / unseen[0] - 1) for seen, unseen in zip(watched, alone, strict=True)]
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_before": round(LOAD, 1),
        "pairs": PAIRS,
        "alone_s": round(statistics.median(turn[0] for turn in alone), 2),
        "watched_s": round(statistics.median(turn[0] for turn in watched), 2),
        "slower_percent": round(statistics.median(slower), 1),
        "slower_percent_of_each_pair": [round(value, 1) for value in sorted(slower)],
        "server_share_of_one_core_percent": round(100 * statistics.median(turn[1] for turn in watched), 1),
        "browser_share_of_one_core_percent": round(100 * statistics.median(turn[2] for turn in watched), 1),
    }
    print(json.dumps(result, indent=1))
    (Path(__file__).parent / "results" / "watched.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def one_run(runs: Path, page: Page, watch: bool) -> Turn:
    """A run, from the end of its first epoch on."""
    store = Store(runs)
    with served(runs) as (address, server):
        page.goto(f"http://{address}/monitor")  # an example
        page.get_by_text("Widths so far").wait_for()
        run_id = submit(store, make_config(preset="quick", sets=SETTINGS))
        if watch:
            page.goto(f"http://{address}/monitor?run={run_id}")
        else:
            page.goto("about:blank")
        while not store.state(run_id).epochs:
            time.sleep(LOOKING)
        begun, used = time.monotonic(), (cpu_seconds([server]), cpu_seconds(browser_processes()))
        while not store.state(run_id).ended:
            time.sleep(LOOKING)
        took = time.monotonic() - begun
        state = store.state(run_id)
        assert state.ended is not None
        assert state.ended.status == "finished"
        shares = [
            (cpu_seconds(who) - before) / took
            for who, before in zip(([server], browser_processes()), used, strict=True)
        ]
        return state.ended.time - state.epochs[0].time, shares[0], shares[1]


def browser_processes() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes)


LOAD = os.getloadavg()[0]
"""Of the machine before anything was measured: what else went on makes the times uncertain."""

if __name__ == "__main__":
    main()
