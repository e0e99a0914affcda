"""Do scores agree on which neurons matter, and seeds on which layers do? Rank correlations, cut by cut."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from mimi_core.analysis.common.agreement import rank_correlation, survival
from mimi_core.analysis.common.statistics import one_per_seed
from mimi_core.analysis.compare.tables import Facts
from mimi_core.analysis.why.cut_scores import Cut
from mimi_core.config import RunConfig, ScoreName
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.catalogue import label_of as score_label
from mimi_core.select import normalise, normaliser_of

COLUMNS = ["label", "cut", "tau", "low", "high", "n"]


def score_correlations(cut: Cut, against: ScoreName) -> dict[ScoreName, float]:
    """Kendall's tau between one score and every other over all neurons that were there before the cut.

    Scores are divided as in the run, so that neurons of all sites stand in the one order that a global cut would use;
    where chance decided, which is not divided, the others are as by default. Empty where the run did not keep
    the score `against`.
    """
    if against not in cut.raw:
        return {}
    how = RunConfig().prune.normalise if SCORES[cut.real.score].by_lot else cut.real.how
    ranked = {
        score: np.concatenate(list(normalise(raw, cut.token_widths, normaliser_of(score, how)).values()))
        for score, raw in cut.raw.items()
    }
    return {s: rank_correlation(ranked[against], values) for s, values in ranked.items() if s != against}


def score_agreement_table(correlations: Iterable[tuple[int, Mapping[ScoreName, float]]]) -> pd.DataFrame:
    """One row per score and cut, over the runs. `correlations` holds (cut, `score_correlations`) of each run and cut.

    Columns: label (the score), cut, tau (mean over the runs), low, high (among them), n (runs).
    """
    rows = [
        {"label": score_label(score), "cut": cut, "tau": tau}
        for cut, taus in correlations
        for score, tau in taus.items()
    ]
    return _summary(pd.DataFrame(rows, columns=["label", "cut", "tau"]))


def seeds_table(runs: Mapping[str, Sequence[Facts]]) -> pd.DataFrame:
    """Do the seeds of a setting put layers into the same order? One row per setting and cut.

    For every two seeds of a setting: Kendall's tau between the shares of the initial widths that their sites kept. Of
    several runs of one seed the newest counts.

    Columns: label (the setting), cut, tau (mean over the pairs), low, high (among them), n (pairs).
    """
    rows = [
        {"label": setting, "cut": cut, "tau": rank_correlation([one[s] for s in sites], [two[s] for s in sites])}
        for setting, members in runs.items()
        for first, second in combinations(one_per_seed(members, seeds_of), 2)
        for cut, (one, two) in enumerate(zip(first.shares, second.shares, strict=False))
        for sites in [[site for site in one if site in two]]
        if cut > 0
    ]
    return _summary(pd.DataFrame(rows, columns=["label", "cut", "tau"]))


def losses_table(runs: Mapping[str, Sequence[Facts]]) -> pd.DataFrame:
    """Which adapters the runs of a setting lost; of several runs of one seed the newest counts.

    Columns: setting, runs, always (sites lost in all of them), sometimes (in some but not in all), never.
    """
    rows = []
    for setting, members in runs.items():
        final = [run.shares[-1] for run in one_per_seed(members, seeds_of) if run.shares[-1]]
        if not final:
            continue
        told = survival(final, list(final[0]))
        rows.append((setting, told.runs, len(told.always_lost), len(told.sometimes), len(told.never_lost)))
    return pd.DataFrame(rows, columns=["setting", "runs", "always", "sometimes", "never"])


def seeds_of(run: Facts) -> tuple[int, int]:
    return run.seeds


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    """NaN, where nothing is ordered, counts neither for the mean nor as one of n."""
    table = (
        rows.astype({"tau": float}).groupby(["label", "cut"], sort=False)["tau"].agg(["mean", "min", "max", "count"])
    )
    return table.reset_index().set_axis(COLUMNS, axis=1)
