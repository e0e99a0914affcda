"""Numbers of docs/findings.md, worked out once more from the files of events by other code than the program's own."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import optimize, stats

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text()
TASKS = ("digits", "fashion-mnist", "sprites-location", "sprites-count", "sprites-orientation")
Events = list[dict[str, Any]]
Runs = dict[tuple[str, str], list[Events]]
"""(group, name) -> events of its runs, seed by seed."""


@pytest.fixture(scope="module")
def runs() -> Runs:
    by_seed: dict[tuple[str, str], dict[int, Events]] = {}
    for folder in sorted((ROOT / "assets" / "study").iterdir()):
        asked = yaml.safe_load((folder / "config.yaml").read_text())
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        by_seed.setdefault((asked["group"], asked["name"]), {})[asked["seed"]] = events
    return {case: [own[seed] for seed in sorted(own)] for case, own in by_seed.items()}


def reached(runs: Runs, task: str, name: str) -> np.ndarray:
    """Test accuracies of the ends of runs beside an adapter of equal size, in percent, seed by seed."""
    group = "equal-size" if task == TASKS[0] else f"equal-size-{task}"
    return np.array([accuracies(events, "trained")[-1] for events in runs[group, name]])


def accuracies(events: Events, stage: str) -> list[float]:
    """On test images, in percent, cycle by cycle."""
    return [
        100 * event["accuracy"]
        for event in events
        if event["event"] == "evaluated" and event["split"] == "test" and event["stage"] == stage
    ]


def gaps(runs: Runs, task: str) -> np.ndarray:
    """MiMi less the small adapter."""
    return reached(runs, task, "mimi") - reached(runs, task, "adapter of the final size")


def around(values: np.ndarray, confidence: float) -> tuple[float, float, float]:
    low, high = stats.t.interval(confidence, len(values) - 1, values.mean(), stats.sem(values))
    return float(values.mean()), float(low), float(high)


def row(section: int, first: str) -> list[str]:
    """Of the tables of a section, the row that begins so."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)[section]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    (found,) = [own for own in cells if own[0] == first]
    return found


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[-+]?\d+\.?\d*", text.replace(",", ""))]


def printed(*values: float) -> Any:
    """As near as one digit after the point is."""
    return pytest.approx(list(values), abs=0.05 + 1e-9)


def test_how_many_runs_have_finished(runs: Runs) -> None:
    ended = sum(events[-1].get("status") == "finished" for own in runs.values() for events in own)
    assert f"**{ended} of 190 runs have finished**" in PAGE


def test_a_mean_and_its_interval(runs: Runs) -> None:
    mean, low, high = around(reached(runs, "digits", "mimi"), 0.95)
    assert numbers(row(1, "digits")[2]) == printed(mean, (high - low) / 2)


@pytest.mark.parametrize("task", TASKS)
def test_differences_with_intervals_for_five_at_once(runs: Runs, task: str) -> None:
    assert numbers(row(1, task)[7]) == printed(*around(gaps(runs, task), 1 - 0.05 / 5))


def test_p_values_by_holm(runs: Runs) -> None:
    p = np.array([stats.ttest_1samp(gaps(runs, task), 0).pvalue for task in TASKS])
    worst, corrected = 0.0, {}
    for rank, k in enumerate(np.argsort(p)):
        worst = max(worst, min(1.0, float(p[k]) * (len(p) - rank)))
        corrected[TASKS[k]] = worst
    for task in TASKS:
        assert numbers(row(1, task)[8]) == pytest.approx([corrected[task]], abs=0.0005 + 1e-9)


def test_what_would_have_shown(runs: Runs) -> None:
    """The true difference that a t test at 0.05 / 5 finds with four of five such studies."""
    error, limit = stats.sem(gaps(runs, "sprites-count")), stats.t.ppf(1 - 0.005, 4)
    shown = optimize.brentq(lambda true: stats.nct.sf(limit, 4, true / error) - 0.8, 0.1, 100)
    assert numbers(row(1, "sprites-count")[11]) == printed(shown)


def test_parameters_without_the_head(runs: Runs) -> None:
    cuts = [[e for e in events if e["event"] == "pruned"][-1] for events in runs["equal-size", "mimi"]]
    left = [cut["adapter_parameters"] for cut in cuts]
    assert numbers(row(1, "digits")[5]) == pytest.approx([np.mean(left)], abs=0.5)


def test_against_a_probe_of_another_sweep(runs: Runs) -> None:
    probe = np.array([accuracies(events, "trained")[-1] for events in runs["compression", "no adapters"]])
    told = re.search(r"At σ = 32 in cuts of half.*?: (.*) points", PAGE)
    assert told is not None
    assert numbers(told[1]) == printed(*around(reached(runs, "digits", "mimi") - probe, 0.95))


def test_adapters_that_go(runs: Runs) -> None:
    ends = [[e for e in events if e["event"] == "pruned"][-1]["widths"] for events in runs["equal-size", "mimi"]]
    gone = [sum(width == 0 for width in widths.values()) for widths in ends]
    assert numbers(row(3, "digits")[2]) == printed(float(np.mean(gone)))
    assert row(3, "digits")[3] == f"{min(gone)} to {max(gone)}"


def test_the_gain_at_every_compression(runs: Runs) -> None:
    probe = np.array([accuracies(events, "trained")[-1] for events in runs["compression", "no adapters"]])
    whole = np.array([accuracies(events, "trained") for events in runs["compression", "mimi, global"]])
    for k, sigma in enumerate(("2", "8", "32", "128", "512", "2,048")):
        assert numbers(row(4, f"σ = {sigma}")[4]) == printed(*around(whole[:, k] - probe, 1 - 0.05 / 6))


def test_scores_right_after_the_cuts(runs: Runs) -> None:
    def bare(score: str) -> np.ndarray:
        return np.array([np.mean(accuracies(events, "cut")) for events in runs["scores", f"score={score}"]])

    names = [name.removeprefix("score=") for group, name in runs if group == "scores" and "," not in name]
    table = np.array([bare(name) for name in names]).T
    assert table.shape == (5, 10)
    seeds, scores = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    rest = ((table - seeds - scores + table.mean()) ** 2).sum() / (4 * 9)
    f = 5 * ((scores - table.mean()) ** 2).sum() / 9 / rest
    told = re.search(r"Right after the cuts, the 10 scores .*?: F ([\d.]+) over 5 seeds", PAGE)
    assert told is not None
    assert numbers(told[1]) == printed(float(f))
    assert numbers(row(6, "mimi")[9]) == printed(*around(bare("mimi") - bare("random"), 1 - 0.05 / 11))
