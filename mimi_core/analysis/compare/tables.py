"""Finished runs as tidy tables: one row a run, one row a run and cycle. What they differ in is `designs`' to find."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isnan, nan

import pandas as pd

from mimi_core.analysis.common.curves import area_under
from mimi_core.analysis.compare.design import Design
from mimi_core.budget import plan, sigma
from mimi_core.config import RunConfig
from mimi_core.config.identity import Value, used_values
from mimi_core.runs.events import RunState
from mimi_core.runs.status import Status
from mimi_core.runs.store import RunSummary


@dataclass(frozen=True)
class Point:
    """A run at the end of cycle k; cycle 0 is before the first cut."""

    cycle: int
    parameters: int
    """Trained, head included."""
    neurons: int
    accuracy: float
    """Test accuracy 0..1 after the cycle's training; NaN where it did not train."""
    cut: float
    """The same right after the cut, before training; NaN in cycle 0."""
    epochs: float
    """Trained until then; NaN in a branch, whose first cycles another run has trained."""


@dataclass(frozen=True)
class Facts:
    """What comparisons need of a finished run: little, so that thousands stay in memory."""

    id: str
    created: float
    seed: int
    data_seed: int
    values: dict[str, Value]
    """Settings by path, from `used_values`."""
    points: tuple[Point, ...]
    val: float
    """Accuracy 0..1 of the final model on the validation images."""
    head: int
    """Parameters of the classifier head, which always trains."""
    sigma: float
    seconds: float
    memory: float
    """Bytes at the end, of the GPU where there was one; NaN where it is not known."""
    shares: tuple[dict[str, float], ...]
    """For every cycle: site -> share of its initial width that is left, 0..1."""

    @property
    def seeds(self) -> tuple[int, int]:
        """What tells repetitions apart."""
        return self.seed, self.data_seed

    @property
    def gone(self) -> int:
        return sum(share == 0 for share in self.shares[-1].values())

    @property
    def epochs(self) -> float:
        """Of all cycles together."""
        return self.points[-1].epochs

    @property
    def accuracy(self) -> float:
        """Of the model that the run ended with: after its last training, or after a last cut without any."""
        last = self.points[-1]
        return last.cut if isnan(last.accuracy) else last.accuracy


def facts(run: RunSummary, config: RunConfig, state: RunState, status: Status | None) -> Facts | None:
    """None for a run that has not finished, or whose events do not tell what came out."""
    started, ended = state.started, state.ended
    if run.phase != "finished" or started is None or ended is None:
        return None
    widths, last = state.widths, len(state.cuts)
    accuracies = [_or_nan(state.accuracy(cycle)) for cycle in range(last + 1)]
    in_cycle = plan(config, sum(widths[0].values())).epochs
    trained = accumulate(in_cycle[cycle] if cycle < len(in_cycle) else 0 for cycle in range(last + 1))
    points = tuple(
        Point(
            cycle=cycle,
            parameters=state.cuts[cycle - 1].trained_parameters if cycle else started.trained_parameters,
            neurons=sum(left.values()),
            accuracy=accuracies[cycle],
            cut=_or_nan(state.accuracy(cycle, "cut")),
            epochs=nan if config.branch else epochs,
        )
        for (cycle, left), epochs in zip(enumerate(widths), trained, strict=True)
    )
    start = widths[0]
    known = Facts(
        id=run.id,
        created=run.created,
        seed=config.seed,
        data_seed=config.data.seed,
        values=used_values(config),
        points=points,
        val=_or_nan(state.accuracy(last, "cut" if isnan(points[-1].accuracy) else "trained", "val")),
        head=started.head_parameters,
        sigma=sigma((site.width for site in state.sites), widths[-1].values()) if state.sites else nan,
        seconds=ended.seconds,
        memory=_or_nan((status.gpu_memory_bytes or status.memory_bytes) if status else None),
        shares=tuple({site: left.get(site, 0) / n for site, n in start.items() if n} for left in widths),
    )
    return None if isnan(known.accuracy) else known


def runs_table(runs: Sequence[Facts], how: Design) -> pd.DataFrame:
    """One row per finished run.

    Columns: run, name, setting, seed, pair (the seeds, for pairing), method, accuracy (test, of the final model), val,
    cut (right after the last cut), parameters (trained, head included), without_head, neurons, sigma, epochs, seconds,
    memory (bytes), gone, sites; and one column for every path in `how.fields` and `how.along`.
    """
    columns = (
        "run name setting seed pair method accuracy val cut parameters without_head neurons sigma epochs seconds "
        "memory gone sites"
    ).split()
    paths = (*how.fields, *how.along)
    rows = [
        {
            "run": run.id,
            "name": run.values["name"],
            "setting": how.setting(run.values),
            "seed": run.seed,
            "pair": f"{run.seed}/{run.data_seed}",
            "method": run.values["method"],
            "accuracy": run.accuracy,
            "val": run.val,
            "cut": run.points[-1].cut,
            "parameters": run.points[-1].parameters,
            "without_head": run.points[-1].parameters - run.head,
            "neurons": run.points[-1].neurons,
            "sigma": run.sigma,
            "epochs": run.epochs,
            "seconds": run.seconds,
            "memory": run.memory,
            "gone": run.gone,
            "sites": len(run.shares[-1]),
            **{path: run.values[path] for path in paths},
        }
        for run in runs
    ]
    return pd.DataFrame(rows, columns=[*columns, *(path for path in paths if path not in columns)])


def points_table(runs: Sequence[Facts], how: Design) -> pd.DataFrame:
    """One row per run and cycle: the path of a run along its cuts.

    Columns: run, setting, seed, pair, method, cycle, parameters, without_head, neurons, accuracy (after training, or
    after a last cut without any), cut, epochs (so far); and one column for every path in `how.fields`.
    """
    columns = "run setting seed pair method cycle parameters without_head neurons accuracy cut epochs".split()
    rows = [
        {
            "run": run.id,
            "setting": setting,
            "seed": run.seed,
            "pair": f"{run.seed}/{run.data_seed}",
            "method": run.values["method"],
            "cycle": point.cycle,
            "parameters": point.parameters,
            "without_head": point.parameters - run.head,
            "neurons": point.neurons,
            "accuracy": point.cut if isnan(point.accuracy) else point.accuracy,
            "cut": point.cut,
            "epochs": point.epochs,
            **fields,
        }
        for run in runs
        for setting, fields in [(how.setting(run.values), {path: run.values[path] for path in how.fields})]
        for point in run.points
    ]
    return pd.DataFrame(rows, columns=[*columns, *(path for path in how.fields if path not in columns)])


def with_area(runs: pd.DataFrame, points: pd.DataFrame, parameters: str) -> pd.DataFrame:
    """Add `area`: mean accuracy over the numbers of parameters that all runs with cuts went through, log scale.

    Args:
        runs: a `runs_table`.
        points: the `points_table` of the same runs.
        parameters: the column to take, "parameters" or "without_head".
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    for run, number, accuracy in zip(points["run"], points[parameters], points["accuracy"], strict=True):
        if number > 0:
            curves.setdefault(run, []).append((number, accuracy))
    curves = {run: curve for run, curve in curves.items() if len({number for number, _ in curve}) > 1}
    low = max((min(curve)[0] for curve in curves.values()), default=nan)
    high = min((max(curve)[0] for curve in curves.values()), default=nan)
    areas = {run: area_under([n for n, _ in c], [a for _, a in c], low, high) for run, c in curves.items()}
    return runs.assign(area=[areas.get(run, nan) for run in runs["run"]])


def for_spreadsheets(table: pd.DataFrame) -> bytes:
    """CSV. Text that a spreadsheet would take for a formula is quoted with an apostrophe."""

    def safe(value: object) -> object:
        return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value

    return table.map(safe).to_csv(index=False).encode()


def _or_nan(value: float | None) -> float:
    return nan if value is None else value
