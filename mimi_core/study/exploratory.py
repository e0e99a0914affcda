"""What was asked beyond the paper's claims: schedules with fewer epochs, and every score beside chance."""

from collections.abc import Sequence
from math import isnan

from mimi_core.analysis.common.statistics import SIGNIFICANT, repeated_measures
from mimi_core.analysis.common.words import NOTHING, listed, p_said
from mimi_core.study import design as study
from mimi_core.study.design import MIMI, SEEDS
from mimi_core.study.evidence import (
    AS_GOOD,
    AS_GOOD_SAID,
    Contrast,
    Evidence,
    at_most_worse,
    averaged,
    contrast,
    holm_corrected,
)
from mimi_core.study.figures import differences_figure
from mimi_core.study.sections import (
    TESTED,
    TOO_FEW,
    UNTESTED,
    FindingsSection,
    detectable,
    epochs,
    mean,
    points,
    tested,
)
from mimi_core.sweeps.sweep import expand

RANDOMLY = "random"


def schedules(evidence: Evidence) -> FindingsSection:
    """A third of the epochs."""
    full = evidence.accuracies("equal-size", MIMI)
    cases = (study.ANNEALED, study.SETTLED, study.ONE_SHOT)
    contrasts = holm_corrected(
        [contrast("digits", (case, evidence.accuracies("schedules", case)), ("cycles", full)) for case in cases]
    )
    rows = [
        [c.first, epochs(evidence, "schedules", c.first), str(c.interval.n),
         mean(evidence.accuracies("schedules", c.first)), at_most_worse(c.interval), *tested(c)]
        for c in contrasts
    ]  # fmt: skip
    rows.insert(0, ["cycles", epochs(evidence, "equal-size", MIMI), str(len(full)), mean(full), NOTHING, *UNTESTED])
    sentences = [
        f"{c.first}: {points(c.interval)} points to the full cycles; at most {AS_GOOD_SAID} worse: "
        f"{at_most_worse(c.interval)}."
        for c in contrasts
        if c.interval.n > 1
    ]
    head = ["schedule", "epochs in all", "seeds", "accuracy", f"at most {AS_GOOD_SAID} worse"]
    drawn = differences_figure(contrasts, "Schedules with a third of the epochs", "schedules", AS_GOOD)
    return FindingsSection(
        "5. Is one annealed run as good as the cycles, with a third of their epochs?",
        sentences,
        [([*head, *TESTED], rows)],
        {"schedules": (drawn, f"Differences to the full cycles; the dotted line is {AS_GOOD_SAID}")},
        detectable(contrasts),
    )


def scores(evidence: Evidence) -> FindingsSection:
    """Every score against random ones of the same start, at the end and right after the cuts."""
    named = {_short(config.name): config.name for config in expand(study.scores()) if config.seed == SEEDS[0]}
    by_chance = evidence.of("scores", named[RANDOMLY]).values()
    cuts = range(1, max((len(run.points) for run in by_chance), default=1))
    end = {name: evidence.accuracies("scores", case) for name, case in named.items()}
    bare = {name: averaged([evidence.after_the_cut("scores", case, k) for k in cuts]) for name, case in named.items()}
    pairs = [(name, _chance(name)) for name in named if name != _chance(name)]
    trained, damage = (
        holm_corrected(
            [contrast(when, (name, accuracies[name]), (chance, accuracies[chance])) for name, chance in pairs]
        )
        for when, accuracies in (("at the end", end), ("right after the cuts", bare))
    )
    rows = [
        [c.first, str(c.interval.n), mean(end[c.first]), *tested(c), mean(bare[c.first]), *tested(b)]
        for c, b in zip(trained, damage, strict=True)
    ]
    rows += [
        [chance, str(len(end[chance])), mean(end[chance]), *UNTESTED, mean(bare[chance]), *UNTESTED]
        for chance in dict.fromkeys(chance for _, chance in pairs)
    ]
    sentences = [
        _beside_chance([c for c in contrasts if c.claimed and c.interval.mean > 0], contrasts, when)
        for contrasts, when in ((trained, "Trained again after every cut"), (damage, "Right after the cuts"))
    ]
    sentences += [
        f"{c.second} is better than {c.first} {c.where}: {points(c.interval)} points."
        for c in (*trained, *damage)
        if c.claimed and c.interval.mean < 0
    ]
    for accuracies, when in ((bare, "Right after the cuts"), (end, "Trained again after every cut")):
        same_start = [accuracies[name] for name in named if "," not in name]
        differ = repeated_measures(same_start)
        if not isnan(differ.p):
            sentences.append(
                f"{when}, the {len(same_start)} scores of one start, chance among them, "
                f"{'differ' if differ.p < SIGNIFICANT else 'were not shown to differ'} from one another: F "
                f"{differ.f:.1f} over {differ.n} seeds, {p_said(differ.p)} by permutation within seeds."
            )
    drawn = differences_figure(damage, "Scores beside chance, right after the cuts", "scores")
    return FindingsSection(
        "6. Which score finds the neurons that matter, and does any beat chance?",
        sentences if trained[0].interval.n > 1 else [TOO_FEW],
        [(["score", "seeds", "at the end", *TESTED, "right after the cuts", *TESTED], rows)],
        {"scores": (drawn, "Accuracy right after the cuts, mean over all of them, against random scores")}
        if damage[0].interval.n
        else {},
        detectable([*trained, *damage]),
    )


def _short(case: str) -> str:
    return case.removeprefix("score=")


def _chance(name: str) -> str:
    """The random scores of adapters that start likewise."""
    return f"{RANDOMLY}{name[name.index(',') :] if ',' in name else ''}"


def _beside_chance(better: Sequence[Contrast], tried: Sequence[Contrast], when: str) -> str:
    if not better:
        return f"{when}, no score of {len(tried)} is shown to be better than random ones."
    told = listed([f"{c.first} ({points(c.interval)})" for c in better])
    return f"{when}, better than random scores by points: {told}; {len(better)} of {len(tried)}."
