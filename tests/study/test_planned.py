"""The planned study on the page: nothing before all is there, and then what its numbers say."""

from collections.abc import Mapping

import numpy as np
import pytest

from mimi_core.study.outcomes import PlanEvidence, PlanOutcome
from mimi_core.study.plan import ASKS, PRIMARY, SEEDS, TASKS
from mimi_core.study.planned import planned_study
from mimi_core.study.stages import PlanProgress

IMAGES = 1000


def evidence(
    better: Mapping[str, float], leave_out: int | None = None, other_program: int | None = None, spread: float = 0.01
) -> PlanEvidence:
    """All primaries, arms that are better by so much, and a seed that lacks a run or was made by two versions."""
    random = np.random.default_rng(5)
    outcomes = {}
    for arm in PRIMARY:
        noise = random.standard_normal((len(TASKS), len(SEEDS))) * spread
        noise -= noise.mean(axis=1, keepdims=True)
        for task, of_task in zip(TASKS, noise, strict=True):
            for seed, by in zip(SEEDS, of_task, strict=True):
                share = 0.7 + better.get(arm.name, 0.0) + by
                right = round(share * IMAGES)
                version = "2" if seed == other_program and arm.takes else "1"
                told = np.arange(IMAGES) < right
                outcomes[arm.name, task.name, seed] = PlanOutcome(
                    right, IMAGES, told, f"version {version} on a processor"
                )
    if leave_out is not None:
        del outcomes["random score", TASKS[2].name, leave_out]
    return PlanEvidence(PlanProgress(10, 20, "seed 30" if leave_out else None), outcomes, ())


def test_before_the_last_seed_is_whole_no_difference_is_shown() -> None:
    section = planned_study(evidence({"MiMi": 0.1}, leave_out=31))
    assert section.sentences[0].startswith("10 of 20 runs of [docs/study-plan.md]")
    assert '"seed 30"' in section.sentences[0]
    assert "Nothing is decided yet" in section.sentences[1]
    assert f"{len(SEEDS) - 1} are whole" in section.sentences[1]
    assert (list(section.tables), dict(section.pictures), len(section.sentences)) == ([], {}, 2)


def test_a_seed_of_two_versions_is_not_whole() -> None:
    section = planned_study(evidence({"MiMi": 0.1}, other_program=25))
    assert "Nothing is decided yet" in section.sentences[1]
    assert section.sentences[2].startswith("Seed 25: made by version 1 on a processor and by version 2")
    assert not section.tables


@pytest.mark.parametrize(
    ("better", "spread", "says"),
    [
        ({"MiMi": 0.05}, 0.01, "**better**, +5.0"),
        ({"MiMi": -0.05}, 0.01, "**worse**, -5.0"),
        ({}, 0.005, "**equivalent within 1 point**, 0.0"),
        ({}, 0.05, "**undecided**, 0.0"),
    ],
)
def test_each_primary_is_told_by_its_numbers(better: Mapping[str, float], spread: float, says: str) -> None:
    section = planned_study(evidence(better, spread=spread))
    told = section.sentences[1 : 1 + len(ASKS)]
    for asks, sentence in zip(ASKS, told, strict=True):
        assert sentence.startswith(asks)
        assert says in sentence.replace("+0.0 ", "0.0 ").replace("-0.0 ", "0.0 ")
        assert ("would have shown in four of five" in sentence) == ("undecided" in says)
    primaries, secondary, by_task = section.tables
    assert len(primaries[1]) == len(ASKS)
    assert [row[0] for row in secondary[1]] == [arm.name for arm in PRIMARY[1:]], "arms that are not whole stay away"
    assert len(by_task[1]) == len(ASKS) * len(TASKS)
    for head, rows in section.tables:
        assert all(len(row) == len(head) for row in rows)
        assert not any("nan" in cell for row in rows for cell in row)
