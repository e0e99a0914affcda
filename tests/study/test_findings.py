"""Findings: the page says what the study's runs say, and no more than these allow."""

from dataclasses import replace
from math import nan
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.statistics import DIFFERENCES, of_setting
from mimi_core.analysis.common.words import p_said, p_value
from mimi_core.analysis.compare.tables import Facts, Point
from mimi_core.runs.events import SiteInfo
from mimi_core.runs.store import Store
from mimi_core.study import write_findings
from mimi_core.study.claims import SIGMAS, extreme, scores_and_scopes
from mimi_core.study.design import GLOBAL, GRADIENT, LOCAL, NONE, RANDOM, SEEDS, study
from mimi_core.study.design import scores as scores_of_the_study
from mimi_core.study.evidence import (
    Contrast,
    Evidence,
    at_most_worse,
    averaged,
    contrast,
    gather,
    growth,
    holm_corrected,
    survivals,
)
from mimi_core.study.exploratory import scores
from mimi_core.study.layer_agreement import likeness
from mimi_core.sweeps.sweep import expand

ROOT = Path(__file__).parents[2]
STUDY, PLANNED, DOCS = ROOT / "assets" / "study", ROOT / "assets" / "planned", ROOT / "docs"
SITES = [SiteInfo(name=f"blocks.{i}.mlp", block=i, position="mlp", width=8) for i in range(6)]


def ended(seed: int, accuracy: float = 0.5, kept: str = "111111") -> Facts:
    point = Point(cycle=0, parameters=10, neurons=4, accuracy=accuracy, cut=nan, epochs=1.0)
    shares = ({site.name: float(mark) for site, mark in zip(SITES, kept, strict=True)},)
    return Facts(
        id=f"run-{seed}", created=0.0, seed=seed, data_seed=seed, values={}, points=(point,), val=nan, head=2,
        sigma=2.0, seconds=1.0, memory=nan, shares=shares,
    )  # fmt: skip


def evidence(runs: dict[tuple[str, str], dict[int, Facts]]) -> Evidence:
    return Evidence(runs, 10, (), (), layers(SITES))


def test_the_page_is_what_the_runs_say(tmp_path: Path) -> None:
    """Whoever adds runs to the study, or changes how they are told, writes the page anew."""
    page, found = write_findings(Store(STUDY), Store(PLANNED), tmp_path)
    assert 0 < found.finished <= found.planned
    assert page.read_text() == (DOCS / "findings.md").read_text(), "run: python -m mimi_core findings"
    pictures = sorted((tmp_path / "findings").iterdir())
    assert [p.name for p in pictures] == sorted(p.name for p in (DOCS / "findings").iterdir())
    for picture in pictures:
        ElementTree.fromstring(picture.read_text())
        assert picture.read_text() == (DOCS / "findings" / picture.name).read_text()
        assert f"(findings/{picture.name})" in page.read_text()


def test_every_run_of_the_study_is_one_that_was_planned() -> None:
    kept = {run.id for run in Store(STUDY).list() if run.phase == "finished"}
    found = gather(Store(STUDY))
    assert {run.id for by_seed in found.runs.values() for run in by_seed.values()} == kept


def test_a_study_without_runs_says_so(tmp_path: Path) -> None:
    page, found = write_findings(Store(tmp_path / "nothing"), Store(tmp_path / "nothing"), tmp_path)
    assert found.finished == 0
    assert f"0 of {found.planned} runs have finished" in page.read_text()
    assert "nan" not in page.read_text()


def test_every_sweep_compares_on_the_same_images() -> None:
    for sweep in study():
        configs = expand(sweep)
        assert {config.seed for config in configs} == set(SEEDS)
        assert all(config.data.seed == config.seed for config in configs)
        assert len({config.data.model_copy(update={"seed": 0}) for config in configs}) == 1


def test_a_contrast_is_over_the_seeds_that_both_have() -> None:
    found = contrast("here", ("a", {1: 0.9, 2: 0.8, 3: 0.7}), ("b", {2: 0.7, 3: 0.5, 4: 0.1}))
    assert found.differences == pytest.approx({2: 0.1, 3: 0.2})
    assert found.interval.mean == pytest.approx(0.15)


def test_verdicts_claim_no_more_than_the_corrected_p_allows() -> None:
    clear = contrast("", ("a", {1: 0.90, 2: 0.91, 3: 0.92, 4: 0.90}), ("b", dict.fromkeys(range(1, 5), 0.8)))
    worse = contrast("", ("a", dict.fromkeys(range(1, 5), 0.8)), ("b", {1: 0.90, 2: 0.91, 3: 0.92, 4: 0.90}))
    faint = contrast("", ("a", {1: 0.9, 2: 0.8, 3: 0.81}), ("b", {1: 0.85, 2: 0.83, 3: 0.79}))
    lonely = contrast("", ("a", {1: 0.9}), ("b", {1: 0.1}))
    verdicts = [c.verdict for c in holm_corrected([clear, worse, faint, lonely])]
    assert verdicts == ["a is better", "b is better", "undecided", "too few runs"]


def test_equivalent_is_said_where_it_is_shown_and_nowhere_else() -> None:
    spread = dict(enumerate((0.001, -0.001, 0.002, -0.002, 0.0, 0.001)))
    base = dict.fromkeys(spread, 0.8)

    def beside(by: float, times: float = 1.0) -> Contrast:
        return contrast("", ("a", {s: 0.8 + by + times * of for s, of in spread.items()}), ("b", base))

    same, small, wide = holm_corrected([beside(0.0), beside(0.005), beside(0.0, 12)])
    assert same.verdict == "equivalent within 1 point"
    assert small.verdict == "a is better, though within 1 point"
    assert wide.verdict == "undecided"
    assert wide.test.detectable == pytest.approx(12 * same.test.detectable)
    assert [c.test.verdict for c in (same, small, wide)] == ["equivalent", "higher", "undecided"]
    assert holm_corrected([beside(-0.005)])[0].test.verdict == "lower"


@pytest.mark.parametrize(
    ("differences", "says"),
    [
        ([0.0, 0.001, -0.001, 0.0], "yes"),
        ([-0.02, -0.021, -0.019, -0.02], "no"),
        ([-0.03, 0.03, 0.0, 0.01], "cannot be told"),
        ([0.5], "too few runs"),
        ([-0.002, -0.002], "cannot be told"),
    ],
)
def test_as_good_as_needs_the_whole_interval(differences: list[float], says: str) -> None:
    assert at_most_worse(of_setting(dict(enumerate(differences)), DIFFERENCES)) == says


def test_averages_and_growth_need_a_seed_everywhere() -> None:
    assert averaged([{1: 0.2, 2: 0.4}, {1: 0.4}]) == pytest.approx({1: 0.3})
    assert growth({1: 0.2, 2: 0.4}, {1: 0.5, 3: 0.1}) == pytest.approx({1: 0.3})


def test_survivors() -> None:
    found = evidence({("s", "mimi"): {1: ended(1, kept="110000"), 2: ended(2, kept="101000")}})
    survived = survivals(found, {"task": ("s", "mimi")})["task"]
    assert (survived.runs, list(survived.kept.values())) == (2, [2, 1, 1, 0, 0, 0])
    assert [len(some) for some in (survived.never_lost, survived.sometimes, survived.always_lost)] == [1, 2, 3]


def course(seed: int, accuracies: list[float], cuts: list[float] | None = None) -> Facts:
    """A run through the cuts of the sweep over compression, or of another."""
    points = tuple(
        Point(cycle=k, parameters=10, neurons=4, accuracy=accuracy, cut=(cuts or accuracies)[k], epochs=1.0)
        for k, accuracy in enumerate(accuracies)
    )
    return replace(ended(seed), points=points, shares=ended(seed).shares * len(points))


def compressed(gains: list[float]) -> Evidence:
    """So much above a linear probe at every compression, a little more or less from seed to seed."""
    spread = {10: -0.01, 11: 0.0, 12: 0.01, 13: 0.005, 14: -0.005}
    cut = {seed: course(seed, [0.8 + gain + by for gain in gains]) for seed, by in spread.items()}
    return evidence({("compression", GLOBAL): cut, ("compression", NONE): {seed: ended(seed, 0.8) for seed in spread}})


@pytest.mark.parametrize(
    ("gains", "says"),
    [
        ([0.1, 0.1, 0.1, 0.0, 0.0, -0.1], "From σ = 128 on, no gain"),
        ([0.1, 0.1, 0.0, 0.1, 0.1, 0.1], "Even at σ = 2,048 adapters are above"),
        ([0.1, 0.1, 0.1, 0.1, 0.1, -0.1], "From σ = 2,048 on, no gain"),
        ([-0.1] * 6, "From σ = 2 on, no gain"),
    ],
)
def test_a_gain_ends_where_none_is_shown_any_more_and_a_loss_is_none(gains: list[float], says: str) -> None:
    told = extreme(compressed(gains)).sentences
    assert told[0].startswith(says)
    halved = [k for k, gain in enumerate(gains) if gain < gains[0] / 2]
    if gains[0] > 0:
        assert f"at σ = {SIGMAS[halved[0]]:,.0f} less than half" in told[1]
    else:
        assert len(told) == 1, "of a loss no half is left"


def test_a_smaller_loss_is_no_gap_that_grows() -> None:
    falling, growing, steady = [0.9, 0.83, 0.84, 0.85, 0.86, 0.89], [0.9, 0.9, 0.9, 0.91, 0.92, 0.95], [0.9] * 6
    few = {s: 0.001 * s for s in range(4)}
    cases = {GLOBAL: falling, LOCAL: steady, GRADIENT: growing, RANDOM: steady}
    runs = {
        ("compression", case): {
            s: course(s, [a + by * (1 + k * a) for k, a in enumerate(accuracies)]) for s, by in few.items()
        }
        for case, accuracies in cases.items()
    }
    told = scores_and_scopes(evidence(runs)).sentences
    assert told[-1] == f"The gap grows with compression for {GRADIENT} over {RANDOM}."


def test_scores_are_held_against_chance_of_their_own_start() -> None:
    """The initialisation helps by ten points here, and no score does."""
    cases = {config.name for config in expand(scores_of_the_study())}
    runs: dict[tuple[str, str], dict[int, Facts]] = {}
    for number, case in enumerate(sorted(cases)):
        better = 0.1 if "init=paper" in case else 0.0
        drawn = {s: 0.8 + better + 0.01 * ((7 * s + 3 * number) % 5 - 2) for s in range(5)}
        runs["scores", case] = {s: course(s, [a, a], [nan, a]) for s, a in drawn.items()}
    section = scores(evidence(runs))
    assert all("no score of 11 is shown to be better" in sentence for sentence in section.sentences[:2])
    assert len(section.sentences) == 4
    assert "were not shown to differ" in section.sentences[2]
    assert [row[0] for row in section.tables[0][1]][-2:] == ["random", "random, init=paper"]


def test_p_is_never_rounded_onto_the_limit() -> None:
    assert [p_value(p) for p in (nan, 0.0001, 0.0498, 0.0502, 0.0494, 0.2)] == [
        "–", "< 0.001", "0.0498", "0.0502", "0.049", "0.200",
    ]  # fmt: skip
    assert (p_said(0.2), p_said(0.0001)) == ("p = 0.200", "p < 0.001")


def test_likeness_tells_tasks_from_seeds() -> None:
    left, right = ["110000", "111000", "110000", "111000", "110100"], ["000011", "000111", "000011", "000111", "001011"]
    tasks = {("one", "m"): left, ("two", "m"): right}
    apart = {cell: {s: ended(s, kept=kept) for s, kept in enumerate(ends)} for cell, ends in tasks.items()}
    found = likeness(evidence(apart), [list(apart)])
    assert found is not None
    assert found.within > 0.5 > 0 > found.across
    assert found.p < 0.05
    mixed = {("one", "m"): [*left[:3], *right[:2]], ("two", "m"): [*right[2:], *left[3:]]}
    alike = {cell: {s: ended(s, kept=kept) for s, kept in enumerate(ends)} for cell, ends in mixed.items()}
    same = likeness(evidence(alike), [list(alike)])
    assert same is not None
    assert same.p > 0.05
    assert likeness(evidence({("one", "m"): apart["one", "m"]}), [[("one", "m")]]) is None


def test_tasks_are_compared_within_their_group_alone() -> None:
    """What the groups have of their own, such as more images and steps, is no difference between tasks."""
    left, right = ["110000", "111000", "101000", "110100", "110001"], ["000011", "000111", "000101", "001011", "100011"]
    ends = {("a", "m"): left, ("b", "m"): left[::-1], ("c", "m"): right, ("d", "m"): right[::-1]}
    runs = {arm: {s: ended(s, kept=kept) for s, kept in enumerate(own)} for arm, own in ends.items()}
    arms = list(runs)
    mixed, matched = likeness(evidence(runs), [arms]), likeness(evidence(runs), [arms[:2], arms[2:]])
    assert mixed is not None
    assert matched is not None
    assert mixed.p < 0.01
    assert matched.p > 0.05
    assert (mixed.tasks, matched.tasks) == (4, 4)
    assert likeness(evidence(runs), [arms[:1], arms[2:]]) == likeness(evidence(runs), [arms[2:]]), "one has no partner"
