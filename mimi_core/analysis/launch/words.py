"""What a config amounts to, and what its choices are, in words."""

from collections.abc import Iterable, Sequence

from mimi_core import budget
from mimi_core.analysis.common.words import listed, percent, size
from mimi_core.config import RunConfig
from mimi_core.config.methods import METHODS, makes_cuts
from mimi_core.runs.jobs.check_report import KeptImages


def plan_in_words(config: RunConfig) -> str:
    """What the numbers amount to, in one sentence."""
    planned = budget.plan(config)
    shares = planned.keep
    epochs, courses = planned.total_epochs, config.train.cycles
    if not makes_cuts(config.method):
        restarts = f" in {courses} courses of the learning rate" if planned.course else ""
        return f"{epochs} epochs of training{restarts}, nothing is cut."
    if not shares:
        return f"{epochs} epochs of training; σ is at its target from the start, so nothing is cut."
    steps = [config.adapter.sigma_0, *(config.adapter.sigma_0 / float(share) for share in shares)]
    shown = steps if len(steps) <= 8 else [*steps[:4], *steps[-2:]]
    sigmas = [f"{s:.3g}" for s in shown]
    if len(steps) > 8:
        sigmas.insert(4, "…")
    return (
        f"{len(shares)} cut{'s' * (len(shares) > 1)}: compression σ goes {' → '.join(sigmas)}, "
        f"{percent(float(shares[-1]))} of the neurons stay, {planned.total_epochs} epochs in all."
    )


def methods_explained(names: Iterable[str]) -> str:
    """What each method does, its name in bold. Markdown."""
    return " ".join(f"**{METHODS[name].label}**: {METHODS[name].words}" for name in names)


def about_images(kept: Sequence[KeptImages]) -> str:
    """How decoded images are kept, and what that takes; empty where a check of an earlier version did not say."""
    sentences = []
    for place in ("memory", "disk", "nowhere"):
        those = [some for some in kept if some.place == place]
        if not those:
            continue
        names = listed([some.split for some in those])
        which = "All images" if len(those) == len(kept) else f"The images of {names}"
        memory, disk = (size(sum(getattr(some, f"{kind}_bytes") for some in those)) for kind in ("memory", "disk"))
        sentences.append(
            {
                "memory": f"{which} are kept in memory, decoded: {memory}.",
                "disk": f"{which} do not fit into memory: each is decoded once, kept on disk ({disk}, free again when "
                f"the run ends) and read some batches ahead ({memory} of memory).",
                "nowhere": f"{which} fit neither into memory nor onto the disk: they are decoded in every epoch, some "
                f"batches ahead ({memory} of memory).",
            }[place]
        )
    return " ".join(sentences)
