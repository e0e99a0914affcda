"""The paper's claims, each beside what the study found: tables of text, and sentences made from the numbers alone."""

from collections.abc import Callable, Sequence
from math import nan
from statistics import fmean

from mimi_core.analysis.common import words
from mimi_core.analysis.common.statistics import SIGNIFICANT
from mimi_core.analysis.common.words import NOTHING, count, decimal, listed, p_said
from mimi_core.study import design as study
from mimi_core.study.design import GLOBAL, GRADIENT, LOCAL, MIMI, NONE, RANDOM, SMALL, TASKS
from mimi_core.study.evidence import (
    BySeed,
    Contrast,
    Evidence,
    averaged,
    contrast,
    growth,
    holm_corrected,
    interval,
    survivals,
)
from mimi_core.study.figures import curves, differences_figure, survival
from mimi_core.study.layer_agreement import Likeness, likeness
from mimi_core.study.sections import (
    TESTED,
    TOO_FEW,
    FindingsSection,
    between,
    detectable,
    epochs,
    mean,
    points,
    tested,
    trained_size,
    without_head,
)

SCOPES = ("scope=global", "scope=local")
SIGMAS = (2.0, 8.0, 32.0, 128.0, 512.0, 2048.0)
"""Of the sweep over compression: at the start, and after every cut."""


def equal_size(evidence: Evidence) -> FindingsSection:
    """Claim 1: against an adapter that has the final size from the start."""
    sweeps = {task: study.size_of(task).name for task in TASKS}
    known = {task: name for task, name in sweeps.items() if evidence.of(name, MIMI) and evidence.of(name, SMALL)}
    contrasts = holm_corrected([between(evidence, task, name, MIMI, SMALL) for task, name in known.items()])
    rows = [
        [
            c.where,
            str(c.interval.n),
            mean(evidence.accuracies(known[c.where], MIMI)),
            mean(evidence.accuracies(known[c.where], SMALL)),
            mean(evidence.accuracies(*_probe_beside(c.where, known[c.where]))),
            trained_size(evidence, known[c.where], MIMI),
            trained_size(evidence, known[c.where], SMALL),
            *tested(c),
        ]
        for c in contrasts
    ]
    head = ["task", "seeds", "MiMi", "small from the start", "linear probe", "parameters, MiMi", "parameters, small"]
    sentences = [f"On {listed([c.where for c in some])}: {words}." for words, some in _by_verdict(contrasts).items()]
    if known:
        ratios = [ratio for name in known.values() for ratio in _ratios(evidence, name)]
        sentences.append(
            "Equal in size means as many neurons. Which layers keep them decides how many parameters these are: MiMi "
            f"has {min(ratios):.2f} to {max(ratios):.2f} times those of the small adapter, head left out; means below."
        )
        sentences += _beside_other_cuts(evidence)
    probed = holm_corrected([between(evidence, task, name, MIMI, study.PROBE) for task, name in known.items()])
    sentences += [
        f"Against a linear probe of as many epochs, on {c.where}: {points(c.interval)} points ({c.verdict})."
        for c in probed
        if c.interval.n > 1
    ]
    digits = _digits_beside_the_probe(evidence)
    if digits.interval.n > 1:
        sentences.append(
            f"On digits the linear probe of section 4 has {epochs(evidence, 'compression', NONE)} epochs against "
            f"{epochs(evidence, 'equal-size', MIMI)}, and MiMi is beside it: {points(digits.interval)} points "
            f"({digits.verdict})."
        )
    for c in holm_corrected([between(evidence, "digits", "equal-size", study.LARGE, MIMI)]):
        if c.interval.n > 1:
            sentences.append(
                "What cutting costs on digits: wide adapters that are never cut, with "
                f"{trained_size(evidence, 'equal-size', study.LARGE)} trained parameters, against MiMi's cut ones: "
                f"{points(c.interval)} points ({c.verdict})."
            )
    picture = differences_figure(contrasts, "MiMi beside an adapter of the same final size", "equal-size")
    return FindingsSection(
        "1. At equal final size and equal total epochs, MiMi beats an adapter trained small from the start",
        sentences,
        [([*head, *TESTED], rows)],
        {"equal-size": (picture, "Differences to an adapter of the final size, seed by seed")},
        detectable(contrasts),
    )


def scores_and_scopes(evidence: Evidence) -> FindingsSection:
    """Claim 2, at every compression from 8 on."""
    pairs = [(GLOBAL, LOCAL), (GLOBAL, GRADIENT), (GLOBAL, RANDOM), (GRADIENT, RANDOM)]
    cycles = range(1, len(SIGMAS))

    def at(case: str, cycle: int) -> BySeed:
        return evidence.accuracies("compression", case, cycle)

    def right_after(case: str, cycle: int) -> BySeed:
        return evidence.after_the_cut("compression", case, cycle)

    def over_all(of: Callable[[str, int], BySeed], where: str) -> list[Contrast]:
        means = {case: averaged([of(case, k) for k in cycles]) for case in (GLOBAL, LOCAL, GRADIENT, RANDOM)}
        return [contrast(where, (a, means[a]), (b, means[b])) for a, b in pairs]

    demo = between(evidence, "at the demo's σ = 32, in cuts of half", "local-vs-global", *SCOPES)
    *trained, demo = holm_corrected(
        [*over_all(at, "mean over all five cuts, trained again"), demo]
    )  # one claim, one family
    bare = holm_corrected(over_all(right_after, "mean over all five cuts, before training again"))
    last = len(SIGMAS) - 1
    grown = holm_corrected(
        [
            contrast(
                f"the difference at σ = {SIGMAS[last]:,.0f} against that at σ = {SIGMAS[1]:g}",
                (a, growth(at(a, 1), at(a, last))),
                (b, growth(at(b, 1), at(b, last))),
                within=(-2.0, 2.0),
            )
            for a, b in pairs
        ]
    )
    curve = [
        [f"{SIGMAS[k]:,.0f}", *(mean(at(case, k)) for case in (GLOBAL, LOCAL, GRADIENT, RANDOM)), mean(at(NONE, 0))]
        for k in range(len(SIGMAS))
    ]
    tests = [
        [f"{c.first} against {c.second}", c.where, str(c.interval.n), *tested(c)]
        for c in (*trained, demo, *bare, *grown)
    ]
    lines = {
        case: [(SIGMAS[k], interval(at(case, k))) for k in range(len(SIGMAS))]
        for case in (GLOBAL, LOCAL, GRADIENT, RANDOM)
    }
    drawn = curves(lines, (NONE, interval(at(NONE, 0))), "Accuracy over compression by score and scope", "compression")
    sentences = [
        f"{c.first} against {c.second}: {points(c.interval)} points when trained again after every cut ({c.verdict}), "
        f"{points(b.interval)} right after the cuts ({b.verdict})."
        for c, b in zip(trained, bare, strict=True)
    ]
    sentences.append(
        f"{demo.first} against {demo.second} {demo.where}: {points(demo.interval)} points ({demo.verdict})."
    )
    larger = [
        c
        for c in grown
        if c.claimed and c.interval.mean > 0 and interval(at(c.first, last)).mean > interval(at(c.second, last)).mean
    ]
    sentences.append(
        f"The gap grows with compression for {listed([f'{c.first} over {c.second}' for c in larger])}."
        if larger
        else "That any of these gaps grows with compression was not shown."
    )
    return FindingsSection(
        "2. global >= local, and mimi >= gradient >= random; the gap grows with compression",
        sentences if trained[0].interval.n > 1 else [TOO_FEW],
        [(["σ", *lines, NONE], curve), (["settings", "where", "seeds", *TESTED], tests)],
        {"compression": (drawn, "Accuracy over compression")} if lines[GLOBAL][0][1].n else {},
        detectable([*trained, demo, *bare, *grown]),
    )


def vanishing(evidence: Evidence) -> FindingsSection:
    """Claim 3: adapters that go, and whether the task decides which."""
    arms = {task: (study.size_of(task).name, MIMI) for task in TASKS}
    arms = {task: arm for task, arm in arms.items() if len(evidence.of(*arm)) > 1}
    survived = survivals(evidence, arms)
    rows, sentences = [], []
    for task, arm in arms.items():
        gone = {seed: float(run.gone) for seed, run in evidence.of(*arm).items()}
        kept = survived[task]
        low, high = min(gone.values()), max(gone.values())
        rows.append(
            [
                task,
                str(len(gone)),
                decimal(fmean(gone.values())),
                f"{low:g} to {high:g}",
                str(len(kept.always_lost)),
                str(len(kept.never_lost)),
            ]
        )
        sentences.append(f"On {task}, {low:g} to {high:g} of {len(kept.kept)} adapters disappear completely.")
    asked = (("What is left of the layers", False), ("Which adapters go", True))
    matched = [[arms[task] for task in tasks if task in arms] for tasks in study.MATCHED]
    for what, only_gone in asked:
        agreement = likeness(evidence, matched, only_gone)
        if agreement:
            shown = "depends on the task" if agreement.p < SIGNIFICANT else "was not shown to depend on the task"
            sentences.append(
                f"{what} {shown}, beyond the seed, where tasks have equally many classes, images and steps "
                f"({'; '.join(listed(tasks) for tasks in study.MATCHED)}): {_taus(agreement)}."
            )
    for what, only_gone in asked:
        agreement = likeness(evidence, [list(arms.values())], only_gone)
        if agreement:
            sentences.append(
                f"{what}, of all tasks: {_taus(agreement)}. Tasks with more classes and images also train for more "
                "steps; this mixes the task with these."
            )
    pictures = {}
    if arms:
        drawn = survival(evidence.named, survived, "In how many runs each layer keeps an adapter", "survival")
        pictures = {"survival": (drawn, "In how many runs a layer keeps its adapter")}
    head = ["task", "runs", "adapters gone, mean", "from .. to", "layers without one in every run"]
    return FindingsSection(
        "3. Some adapters disappear completely; which ones depends on the task",
        sentences,
        [([*head, "layers with one in every run"], rows)],
        pictures,
    )


def extreme(evidence: Evidence) -> FindingsSection:
    """Claim 4: where the gain over no adapters at all ends."""
    probe = evidence.accuracies("compression", NONE)
    contrasts = holm_corrected(
        [
            contrast(f"σ = {sigma:,.0f}", (GLOBAL, evidence.accuracies("compression", GLOBAL, k)), (NONE, probe))
            for k, sigma in enumerate(SIGMAS)
        ]
    )
    rows = []
    for k, c in enumerate(contrasts):
        runs = evidence.of("compression", GLOBAL).values()
        neurons = {run.seed: float(run.points[k].neurons) for run in runs}
        left = {run.seed: float(sum(share > 0 for share in run.shares[k].values())) for run in runs}
        number = decimal(fmean(neurons.values()), 0) if neurons else NOTHING
        adapters = decimal(fmean(left.values())) if left else NOTHING
        rows.append([c.where, number, adapters, str(c.interval.n), *tested(c)])
    known = [c for c in contrasts if c.interval.n > 1]
    gains = [c.claimed and c.interval.mean > 0 for c in known]
    lasting = 1 + max((i for i, gain in enumerate(gains) if gain), default=-1)
    sentences = []
    if lasting < len(known):
        sentences.append(f"From {known[lasting].where} on, no gain over the linear probe is shown.")
    elif known:
        sentences.append(
            f"Even at {known[-1].where} adapters are above the linear probe ({points(known[-1].interval)} points)."
        )
    trained = {k: _epochs_until(evidence, k) for k in range(len(SIGMAS))}
    probed = {run.epochs for run in evidence.of("compression", NONE).values()}
    if known and probed and min(trained.values()) < max(probed):
        sentences.append(
            f"The probe has trained for {max(probed):g} epochs, MiMi for {min(trained.values()):g} at "
            f"{known[0].where} and {max(trained.values()):g} at {known[-1].where}: only where these are equal does the "
            "difference tell of compression alone."
        )
    digits = _digits_beside_the_probe(evidence)
    if digits.interval.n > 1:
        sentences.append(
            f"At σ = 32 in cuts of half, with {epochs(evidence, 'equal-size', MIMI)} epochs, MiMi is beside the same "
            f"probe: {points(digits.interval)} points ({digits.verdict})."
        )
    half = [c for c in known if c.interval.mean < known[0].interval.mean / 2] if known and gains[0] else []
    if half:
        sentences.append(
            f"Going by the means, at {half[0].where} less than half is left of the gain at the start "
            f"({words.points(known[0].interval.mean)} points)."
        )
    return FindingsSection(
        "4. Beyond 1000-fold compression something breaks: where?",
        sentences if contrasts[0].interval.n > 1 else [TOO_FEW],
        [(["compression", "neurons", "adapters left", "seeds", *TESTED], rows)],
        {
            "extreme": (
                differences_figure(contrasts, "The gain over a linear probe at every compression", "extreme"),
                "The gain over no adapters",
            )
        }
        if contrasts[0].interval.n
        else {},
        detectable(contrasts),
    )


def _probe_beside(task: str, sweep: str) -> tuple[str, str]:
    """Where the linear probe of a task is: the first has one in the sweep over compression."""
    return ("compression", NONE) if task == TASKS[0] else (sweep, study.PROBE)


def _digits_beside_the_probe(evidence: Evidence) -> Contrast:
    """MiMi at the demo's compression and the linear probe of section 4, whose seeds and images are the same."""
    cut, probe = evidence.accuracies("equal-size", MIMI), evidence.accuracies("compression", NONE)
    return holm_corrected([contrast("digits", (MIMI, cut), (NONE, probe))])[0]


def _beside_other_cuts(evidence: Evidence) -> list[str]:
    """What is not MiMi's score: cuts by other scores, beside the small adapter, on the same seeds."""
    small = ("the small adapter", evidence.accuracies("equal-size", SMALL))
    others = holm_corrected(
        [
            contrast(score, (f"{score} cuts", evidence.accuracies("scores", f"score={score}")), small)
            for score in ("random", "taylor")
        ]
    )
    told = [f"{c.first} {points(c.interval)} points ({c.verdict})" for c in others if c.interval.n > 1]
    if not told:
        return []
    return [
        "What is compared is a bundle: MiMi also starts wide, spreads its neurons over the layers, and begins the "
        "course of the learning rate anew after every cut. Other cuts have these, too; on digits, beside the small "
        f"adapter: {listed(told)}."
    ]


def _taus(agreement: Likeness) -> str:
    return (
        f"Kendall's tau {agreement.within:.2f} between runs of one task and {agreement.across:.2f} between runs of "
        f"different tasks ({count(agreement.runs, 'run')} of {count(agreement.tasks, 'task')}, pairs of one seed left "
        f"out; permutation test, {p_said(agreement.p)})"
    )


def _epochs_until(evidence: Evidence, cycle: int) -> float:
    """Trained when a cycle of the sweep over compression ends; NaN where nothing is known."""
    return max((run.points[cycle].epochs for run in evidence.of("compression", GLOBAL).values()), default=nan)


def _ratios(evidence: Evidence, sweep: str) -> list[float]:
    """Trained parameters of MiMi over those of the small adapter, without the head, for every seed of both."""
    cut, small = evidence.of(sweep, MIMI), evidence.of(sweep, SMALL)
    return [without_head(cut[seed]) / without_head(small[seed]) for seed in sorted(set(cut) & set(small))]


def _by_verdict(contrasts: Sequence[Contrast]) -> dict[str, list[Contrast]]:
    verdicts: dict[str, list[Contrast]] = {}
    for c in contrasts:
        verdicts.setdefault(c.verdict, []).append(c)
    return verdicts
