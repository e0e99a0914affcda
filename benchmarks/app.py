"""What the app costs: reruns with a thousand runs in the store, memory, and twenty tabs at once.

    python -m benchmarks.app

A real server, asked over its websocket as a browser would; the browser's own work is not measured. Medians of several,
beside a page that only says hello. Writes results/app.json. Loopback only.
"""

import json
import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving import ROOT, served
from benchmarks.tab import Answer, Tab
from mimi_core.config import to_yaml, validate
from mimi_core.runs import files
from mimi_core.runs.status import read_status, write_status
from mimi_core.runs.store import Store

EXAMPLE = next((ROOT / "mimi_core" / "resources" / "examples").glob("*demo-global*"))
RUNS, REPEATS, TABS, LOAD_SECONDS, THINKING = 1000, 9, 20, 30.0, 5.0
PAGES = [path.stem for path in sorted((ROOT / "pages").glob("*.py")) if path.stem != "__init__"]


def main() -> None:
    result: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "runs": RUNS,
    }
    with tempfile.TemporaryDirectory() as folder:
        hello, runs = Path(folder) / "hello.py", Path(folder) / "runs"
        hello.write_text("import streamlit as st\nst.title('hello')\n", encoding="utf-8")
        many_runs(runs)
        with served(runs, hello) as (address, _), Tab(address) as tab:
            floor = result["hello_ms"] = milliseconds(tab.open("") for _ in range(REPEATS))
        with served(runs) as (address, process):
            result["memory_mb"] = {"started": megabytes(process)}
            result["pages"] = {page: opened(address, page) for page in PAGES}
            result["what_if_ms"] = what_if(address)
            result["memory_mb"]["every page seen"] = megabytes(process)
            result["tabs"] = many_tabs(address)
            result["memory_mb"]["after the tabs"] = megabytes(process)
        for row in result["pages"].values():
            row["times_hello"] = round(row["rerun_ms"] / floor, 1)
    print(json.dumps(result, indent=1))
    (Path(__file__).parent / "results" / "app.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def many_runs(directory: Path) -> None:
    """Copies of the bundled example in groups of ten seeds, told apart by name, seed and age."""
    config, status = validate(Store(EXAMPLE.parent).config(EXAMPLE.name).model_dump()), read_status(EXAMPLE)
    assert status is not None
    for number in range(RUNS):
        run = directory / f"20260101-000000-run-{number:04d}"
        shutil.copytree(EXAMPLE, run)
        named = {"name": f"run {number}", "group": f"sweep {number // 10}", "seed": number % 10}
        (run / files.CONFIG).write_text(to_yaml(config.model_copy(update=named)), encoding="utf-8")
        write_status(run, status.model_copy(update={"created": status.created - number}))


def opened(address: str, page: str) -> dict[str, float]:
    """The first look, and the median rerun after it."""
    with Tab(address) as tab:
        first = tab.open(page)
        again = [tab.open(page) for _ in range(REPEATS)]
    return {
        "first_ms": round(1000 * first.seconds),
        "rerun_ms": milliseconds(again),
        "kilobytes": round(statistics.median(answer.bytes for answer in again) / 1000),
    }


def what_if(address: str) -> float:
    """Moving the scope on the Why page there and back."""
    with Tab(address) as tab:
        page = tab.open("why")
        turns = [("local", "global")[turn % 2] for turn in range(2 * REPEATS)]
        return milliseconds(tab.change(page, "Scope", string_array_value={"data": [scope]}) for scope in turns)


def many_tabs(address: str) -> dict[str, float]:
    """So many people at once, each on one of the pages, each doing something every few seconds."""
    answers: list[Answer] = []
    end = time.monotonic() + LOAD_SECONDS

    def use(number: int) -> None:
        with Tab(address) as tab:
            time.sleep(THINKING * number / TABS)  # people do not click in step
            while time.monotonic() < end:
                answers.append(tab.open(PAGES[number % len(PAGES)]))
                time.sleep(THINKING)

    people = [threading.Thread(target=use, args=(number,)) for number in range(TABS)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    seconds = sorted(answer.seconds for answer in answers)
    return {
        "tabs": TABS,
        "seconds_between_clicks": THINKING,
        "reruns": len(seconds),
        "median_ms": round(1000 * statistics.median(seconds)),
        "p95_ms": round(1000 * seconds[int(0.95 * len(seconds))]),
        "failed": sum(answer.failed for answer in answers),
    }


def milliseconds(answers: Any) -> float:
    found = list(answers)
    assert not any(answer.failed for answer in found)
    return round(1000 * statistics.median(answer.seconds for answer in found), 1)


def megabytes(process: psutil.Process) -> int:
    return round(process.memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
