"""The planned study on the page of findings: how far it is, and once its primaries are whole, what it says.

Before all seeds of the primaries are there, no difference is shown: who looks early lets chance say when to stop.
"""

from collections.abc import Sequence

import numpy as np

from mimi_core.analysis.common.statistics import SIGNIFICANT, Interval
from mimi_core.analysis.common.words import (
    NOTHING,
    WITHIN_MARGIN,
    count,
    decimal,
    listed,
    p_said,
    p_value,
    percent,
    percent_interval,
)
from mimi_core.analysis.common.words import points as in_points
from mimi_core.study.evidence import BySeed, contrast, holm_corrected
from mimi_core.study.outcomes import PlanEvidence
from mimi_core.study.plan import ASKS, CONTRASTS, MIMI, PRIMARY, PROBE, SECONDARY, SEEDS, TASKS
from mimi_core.study.primaries import Primary, decide, logits
from mimi_core.study.secondary import images_at_random, improvement, interquartile_difference, mixed_model
from mimi_core.study.sections import TESTED, FindingsSection, Table, points, tested

CLAIM = "7. The planned study: what makes MiMi work, if it does?"
_PLAN = "[docs/study-plan.md](study-plan.md), written before its runs"


def planned_study(evidence: PlanEvidence) -> FindingsSection:
    """The section of the page."""
    arms = [arm.name for arm in PRIMARY]
    lacking = evidence.lacking(arms)
    sentences = [_how_far(evidence)]
    if lacking:
        whole = len(SEEDS) - len(lacking)
        mixed = [f"Seed {seed}: {why}." for seed, why in lacking.items() if "made by" in why]
        sentences += [
            f"**Nothing is decided yet**: of {count(len(SEEDS), 'seed')}, {whole} {'is' if whole == 1 else 'are'} "
            "whole in all arms of the primaries. No difference between arms is shown or tested before all are.",
            *mixed,
        ]
        return FindingsSection(CLAIM, sentences, [], {})
    right = np.array([[evidence.right(arm.name) for arm in pair] for pair in CONTRASTS])
    images = np.array([[evidence.images(arm.name) for arm in pair] for pair in CONTRASTS])
    primaries = decide([(first.name, second.name) for first, second in CONTRASTS], right, images)
    sentences += [sentence(asks, primary) for asks, primary in zip(ASKS, primaries, strict=True)]
    sentences += _counted_as_chance(evidence)
    sentences.append(
        f"The four primaries: p by Student's t of the logit differences, Holm over four, called a difference below "
        f"{SIGNIFICANT:g}; equivalent {WITHIN_MARGIN} by two one-sided tests, Holm over four; intervals hold all at "
        f"once. They speak of these {len(TASKS)} tasks. All that follows them is secondary."
    )
    return FindingsSection(CLAIM, sentences, [_primaries(primaries), *_secondary(evidence)], {})


def sentence(asks: str, primary: Primary) -> str:
    """One primary in words, chosen by its numbers alone."""
    told = (
        f"{asks} {primary.first} against {primary.second}: **{primary.said}**, {points(primary.points)} points "
        f"({p_said(primary.corrected)})"
    )
    if primary.scales_disagree and primary.is_clear:
        told += "; the test is on the logit scale, and the mean difference in points goes the other way"
    if primary.verdict == "undecided":
        least = in_points(primary.detectable)
        told += f"; a true difference of {least} points would have shown in four of five such studies"
    return f"{told}."


def _how_far(evidence: PlanEvidence) -> str:
    at = evidence.progress
    done = f"{at.done:,} of {count(at.planned, 'run')} of {_PLAN}, have been made"
    return f'{done}; it is at the stage "{at.stage}".' if at.stage else f"{done}: all."


def _counted_as_chance(evidence: PlanEvidence) -> list[str]:
    return [f"Failed twice and counted as chance: {listed(evidence.failed)}."] if evidence.failed else []


def _primaries(primaries: Sequence[Primary]) -> Table:
    head = ["primary", "seeds", "tasks", "difference in points", "p", "p of equivalence", "corrected for", "verdict"]
    rows = [
        [
            f"{one.first} against {one.second}",
            str(one.points.n),
            str(one.tasks),
            points(one.points),
            p_value(one.corrected),
            p_value(one.corrected_equivalent),
            count(one.tests, "comparison"),
            one.said,
            _logit(one.logit),
            in_points(one.detectable),
        ]
        for one in primaries
    ]
    return [*head, "difference in logits", "would show"], rows


def _logit(interval: Interval) -> str:
    mean, low, high = (decimal(value, 2, signed=True) for value in (interval.mean, interval.low, interval.high))
    return f"{mean} ({low} to {high})"


def _secondary(evidence: PlanEvidence) -> list[Table]:
    """Every arm that is whole, with MiMi: over all tasks, and task by task."""
    names = [arm.name for arm in (*PRIMARY, *SECONDARY) if arm != MIMI] + [PROBE]
    arms = [name for name in names if not evidence.lacking([MIMI.name, name])]
    ours, images = evidence.right(MIMI.name), evidence.images()
    right = np.array([[ours, evidence.right(name)] for name in arms])
    rows = []
    for name, one in zip(arms, decide([(MIMI.name, name) for name in arms], right, images), strict=True):
        theirs = evidence.right(name)
        model = mixed_model(logits(ours, images) - logits(theirs, images))
        shares = (ours / images, theirs / images)
        told = (evidence.told(MIMI.name), evidence.told(name))
        by_images = points(images_at_random(told[0], told[1])) if told[0] and told[1] else NOTHING
        rows.append(
            [
                name,
                points(one.points),
                p_value(one.corrected),
                count(one.tests, "comparison"),
                one.said,
                by_images,
                points(interquartile_difference(*shares)),
                percent_interval(improvement(*shares)),
                p_value(model.p),
            ]
        )
    head = ["MiMi against", "difference in points", "p", "corrected for", "verdict", "with images at random"]
    head += ["difference of interquartile means", "better on the same seed and task", "p, tasks at random"]
    return [(head, rows), _by_task(evidence, arms)]


def _by_task(evidence: PlanEvidence, arms: Sequence[str]) -> Table:
    def reached(arm: str, task: int) -> BySeed:
        shares = evidence.right(arm)[task] / evidence.images(arm)[task]
        return dict(zip(SEEDS, map(float, shares), strict=True))

    compared = holm_corrected(
        [
            contrast(task.name, (MIMI.name, reached(MIMI.name, k)), (name, reached(name, k)))
            for name in arms
            for k, task in enumerate(TASKS)
        ]
    )
    rows = []
    for one in compared:
        k = [task.name for task in TASKS].index(one.where)
        means = [percent(float(np.mean(list(reached(arm, k).values())))) for arm in (one.first, one.second)]
        rows.append([one.second, one.where, *means, *tested(one)])
    return ["MiMi against", "task", "MiMi", "the other", *TESTED], rows
