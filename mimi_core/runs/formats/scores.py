"""`scores.npz` of a cut, and `end_scores.npz` of the end of a run: every score of every neuron, before any division.

Arrays: `<score>/<site>`, (N,) numbers for the neurons before the cut; `survivors/<site>`, sorted indices into these.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mimi_core.runs import files
from mimi_core.runs.formats import npz
from mimi_core.scores.catalogue import SCORES

AT_A_CUT, AT_THE_END = "scores", "end_scores"
_SURVIVORS = "survivors"
BySite = dict[str, np.ndarray]


def path_of(run: Path, cycle: int, which: str = AT_A_CUT) -> Path:
    return files.cycle_folder(run, cycle) / f"{which}.npz"


def arrays(raw: Mapping[str, Mapping[str, np.ndarray]], survivors: Mapping[str, np.ndarray]) -> BySite:
    """What is written: score -> site -> (N,), and the survivors where there was a cut."""
    named = {f"{score}/{site}": values for score, sites in raw.items() for site, values in sites.items()}
    return named | {f"{_SURVIVORS}/{site}": kept for site, kept in survivors.items()}


def read_scores_of_cut(
    run: Path, cycle: int, before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[dict[str, BySite], BySite]:
    """The scores that decided a cut or could have, and its survivors.

    Args:
        before, after: site -> neurons; sites that had none before the cut are left out.

    Returns:
        score -> site -> (N,), those that are there for all sites and are numbers throughout, sites in the order that
        settles ties; site -> sorted indices into the neurons before the cut.

    Raises:
        RunError: they are missing, broken, or of another run.
    """
    with npz.opened(path_of(run, cycle), f"the scores of cut {cycle}") as archive:
        members = [name.partition("/") for name in npz.names(archive)]
        sites = [site for site in dict.fromkeys(site for _, _, site in members) if site in before]
        if len(sites) != len(before):
            raise KeyError("some site has no scores")
        there, raw = {name for name, _, _ in members}, {}
        for score in SCORES:
            if score in there:
                values = {site: npz.vector(archive, f"{score}/{site}", before[site]) for site in sites}
                if all(np.isfinite(v).all() for v in values.values()):
                    raw[score] = values
        return raw, {site: npz.vector(archive, f"{_SURVIVORS}/{site}", after.get(site, 0)) for site in before}


def read_end(run: Path, cycle: int, widths: Mapping[str, int]) -> dict[str, BySite]:
    """Score -> site -> (N,) of the neurons at the end of a cycle, without those of chance, which are drawn anew.

    They were stored for the cut that followed, or at the end of the run. A file that is not there holds none.

    Raises:
        RunError: the file is broken, or of other neurons.
    """
    following = path_of(run, cycle + 1)
    path = following if following.exists() else path_of(run, cycle, AT_THE_END)
    if not path.exists():
        return {}
    scores: dict[str, BySite] = {}
    with npz.opened(path, f"the scores at the end of cycle {cycle}") as archive:
        for name in npz.names(archive):
            score, _, site = name.partition("/")
            if score in SCORES and not SCORES[score].by_lot:
                scores.setdefault(score, {})[site] = npz.vector(archive, name, widths[site])
        if any(sites.keys() != widths.keys() for sites in scores.values()):
            raise ValueError("scores of other neurons")
    return {score: sites for score, sites in scores.items() if all(np.isfinite(v).all() for v in sites.values())}
