"""Signs that a run went wrong although it did not fail: told from its events, with what to do about them. Plain text.

Every limit is either exact or follows from what chance alone would give, so that no sign depends on the dataset.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log, sqrt
from typing import Literal

from mimi_core.analysis.common.statistics import Interval, mean_interval
from mimi_core.analysis.common.tables import cycles_table
from mimi_core.analysis.common.words import count, listed, percent
from mimi_core.config import RunConfig
from mimi_core.config.identity import Seeds, seed_key, task_key
from mimi_core.config.methods import makes_cuts
from mimi_core.runs.events import EpochEnded, Evaluated, RunState
from mimi_core.runs.store import RunSummary

Severity = Literal["error", "warning"]
HARDLY = 0.1
"""Of the way from guessing to faultless: who has come less far has not learned."""
FLAT = 0.05
"""A loss that falls by less than this share of itself hardly falls."""
BEYOND_NOISE = 2.0
"""Standard errors of a difference between two accuracies."""


@dataclass(frozen=True)
class Finding:
    severity: Severity
    title: str
    explanation: str
    advice: str


def signs_of_failure(state: RunState, config: RunConfig, probe: Interval | None = None) -> list[Finding]:
    """What looks wrong in a run, the worst first.

    Args:
        probe: test accuracy 0..1 of linear probes on the same data and backbone, see `linear_probe`.
    """
    if state.started is None:
        return _unreadable(state)
    signs = [
        *_diverged(state),
        *_not_learned(state, config),
        *_pruned_nothing(state, config),
        *_all_gone(state),
        *_not_recovered(state),
        *_below_the_probe(state, config, probe),
        *_unreadable(state),
    ]
    return sorted(signs, key=lambda finding: finding.severity != "error")


def linear_probe(config: RunConfig, others: Iterable[tuple[RunSummary, RunConfig]]) -> Interval | None:
    """Test accuracy of finished linear probes with the backbone and data of `config`; a repeated seed counts once."""
    task = task_key(config)
    same: dict[Seeds, list[float]] = {}
    for run, other in others:
        if run.method == "linear" and run.phase == "finished" and run.accuracy is not None and task_key(other) == task:
            same.setdefault(seed_key(other), []).append(run.accuracy)
    return mean_interval([sum(of_seed) / len(of_seed) for of_seed in same.values()]) if same else None


def _diverged(state: RunState) -> list[Finding]:
    """Told by the worker; or the loss ends a cycle above where the cycle began, and above that of guessing."""
    advice = "Lower train.lr, or raise train.warmup; then start a new run."
    if state.ended and state.ended.status == "failed" and "diverged" in state.ended.message:
        return [Finding("error", "Training diverged", "The loss became infinite or not a number.", advice)]
    guessing = log(max(_classes(state), 2))
    for cycle, epochs in _by_cycle(state).items():
        first, last = epochs[0], epochs[-1]
        if last.loss > max(first.loss, guessing) and len(epochs) > 1:
            return [
                Finding(
                    "error",
                    f"Training diverges in cycle {cycle}",
                    f"Its loss went up from {first.loss:.2f} to {last.loss:.2f}; guessing gives {guessing:.2f}.",
                    advice,
                )
            ]
    return []


def _not_learned(state: RunState, config: RunConfig) -> list[Finding]:
    """At the end of cycle 0, before any cut could be to blame."""
    epochs = _by_cycle(state).get(0, [])
    if not epochs or epochs[-1].epoch < config.train.epochs or _classes(state) < 2:
        return []
    first, last, chance = epochs[0], epochs[-1], 1 / _classes(state)
    learned = (last.accuracy - chance) / (1 - chance)
    fell = 1 - last.loss / first.loss if first.loss > 0 else 1.0
    flat = len(epochs) > 2 and fell < FLAT and learned < 0.5
    if learned >= HARDLY and not flat:
        return []
    return [
        Finding(
            "error" if learned < HARDLY else "warning",
            "It has not learned its task before the first cut",
            f"After {count(len(epochs), 'epoch')} it gets {percent(last.accuracy)} of the training images right; "
            f"guessing gets {percent(chance)}. The loss went from {first.loss:.2f} to {last.loss:.2f}. "
            "Scores of neurons that have learned nothing say nothing.",
            "Raise train.lr or train.epochs, start with wider adapters (a lower adapter.sigma_0), and see on the "
            "Launch page whether images and classes are what you expect.",
        )
    ]


def _pruned_nothing(state: RunState, config: RunConfig) -> list[Finding]:
    if state.decides_ranks:  # there is no cut that could have been idle
        return []
    idle = [cut.cycle for cut in state.cuts if cut.neurons_before == cut.neurons_after]
    if config.prune.schedule == "anneal" and len(idle) < len(state.cuts):  # its budget falls slowly towards the end
        return []
    if makes_cuts(config.method) and state.total_cuts == 0:
        return [
            Finding(
                "error",
                "This run prunes nothing",
                f"Its compression starts at σ = {config.adapter.sigma_0:g} and ends at "
                f"σ = {config.prune.sigma_target:g}, so there is no cut to make.",
                "Raise prune.sigma_target, or choose method=adapter if adapters that keep their width are meant.",
            )
        ]
    if not idle:
        return []
    all_of_them = len(idle) == len(state.cuts)
    return [
        Finding(
            "error" if all_of_them else "warning",
            f"Cut {_numbers(idle)} removed no neuron",
            "The budget did not shrink by a whole neuron, so the adapters are what they were before.",
            "Raise prune.rho, or start with wider adapters (a lower adapter.sigma_0).",
        )
    ]


def _all_gone(state: RunState) -> list[Finding]:
    if not state.cuts or any(state.widths[-1].values()):
        return []
    if state.decides_ranks:
        return [
            Finding(
                "warning",
                "No matrix has a rank left",
                "The backbone is again the frozen original; only the classifier head is left, as in a linear probe.",
                "Raise peft.rank or train.epochs.",
            )
        ]
    cut = state.cuts[-1].cycle
    return [
        Finding(
            "warning",
            f"No adapter is left after cut {cut}",
            "The backbone is again the frozen original; only the classifier head still trains, as in a linear probe.",
            "Lower prune.sigma_target. To keep a part of every adapter, set prune.scope=local.",
        )
    ]


def _not_recovered(state: RunState) -> list[Finding]:
    """After training again the accuracy is, beyond noise, not even half-way back to where it was before the cut."""
    images = _test_images(state)
    table = cycles_table(state).dropna(subset=["before", "cut", "after"])
    lost = table["before"] - table["after"]
    variance = table["before"] * (1 - table["before"]) + table["after"] * (1 - table["after"])
    bad = table[
        (lost > table["damage"] / 2) & (table["damage"] > 0) & (lost > BEYOND_NOISE * (variance / images) ** 0.5)
    ]
    if bad.empty:
        return []
    worst = bad.loc[lost[bad.index].idxmax()]
    return [
        Finding(
            "warning",
            f"The damage of cut {_numbers(list(bad['cycle']))} did not recover",
            f"Cut {int(worst['cycle'])} took the test accuracy from {percent(worst['before'])} to "
            f"{percent(worst['cut'])}; training again brought it to {percent(worst['after'])} only.",
            "Cut less at a time (a lower prune.rho), train longer after each cut (train.epochs), or branch from the "
            "cycle before with another score or scope.",
        )
    ]


def _below_the_probe(state: RunState, config: RunConfig, probe: Interval | None) -> list[Finding]:
    accuracy, images = state.last_accuracy, _test_images(state)
    if probe is None or accuracy is None or config.method == "linear" or state.ended is None:
        return []
    noise = sqrt((accuracy * (1 - accuracy) + probe.mean * (1 - probe.mean)) / images)
    if probe.mean - accuracy <= BEYOND_NOISE * noise:
        return []
    return [
        Finding(
            "warning",
            "A linear probe does better",
            f"The classifier head alone gets {percent(probe.mean)} on the same data and backbone "
            f"({count(probe.n, 'seed')}); this run ends at {percent(accuracy)}.",
            "What adapts the backbone here harms it: lower train.lr, train longer, or lower prune.sigma_target.",
        )
    ]


def _unreadable(state: RunState) -> list[Finding]:
    if not state.unreadable_lines:
        return []
    return [
        Finding(
            "warning",
            f"{count(state.unreadable_lines, 'line')} of the event file cannot be read",
            "They are left out of everything that is shown here: a crash broke them, or another version wrote them.",
            "If the run is still there elsewhere, copy its events.jsonl again; if a later version wrote it, update.",
        )
    ]


def _classes(state: RunState) -> int:
    return len(state.started.class_names) if state.started else 0


def _by_cycle(state: RunState) -> dict[int, list[EpochEnded]]:
    by_cycle: dict[int, list[EpochEnded]] = {}
    for epoch in state.epochs:
        by_cycle.setdefault(epoch.cycle, []).append(epoch)
    return by_cycle


def _test_images(state: RunState) -> int:
    last: Evaluated | None = next((e for e in reversed(state.evaluations) if e.split == "test"), None)
    return max(last.images, 1) if last else 1


def _numbers(cycles: list[int]) -> str:
    return listed([str(int(cycle)) for cycle in cycles])
