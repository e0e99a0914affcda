"""The study behind docs/findings.md: which runs it is made of. `findings --run` does what is missing of them.

The demo's settings were picked by hand on seeds 0 to 2, with test accuracies in view; the study uses others. Every seed
draws its own training images. Of one sweep all settings train on the same images, in the same order.
"""

from typing import Any

from mimi_core.sweeps.questions import QUESTIONS
from mimi_core.sweeps.sweep import Sweep, make_sweep

SEEDS = [10, 11, 12, 13, 14]
TASKS = ("digits", "fashion-mnist", "sprites-location", "sprites-count", "sprites-orientation")
"""30 images per class of each, but for `MORE_SHOTS`; the first has the most comparisons."""
MATCHED = (("digits", "fashion-mnist"), ("sprites-location", "sprites-orientation"))
"""Tasks with equally many classes and images, and so steps: what differs between them is the task, or chance."""
MORE_SHOTS = {"sprites-count": 100}
"""With 30 images of each number, adapters learn no more of counting than a linear probe does."""
MIMI, SMALL, LARGE, PROBE = "mimi", "adapter of the final size", "adapter of the first size", "linear probe"
ANNEALED, SETTLED, ONE_SHOT = "anneal", "anneal, half to settle", "one shot"
GLOBAL, LOCAL, GRADIENT, RANDOM, NONE = (
    "mimi, global",
    "mimi, local",
    "gradient, global",
    "random, global",
    "no adapters",
)
STUDIED = ["mimi", "l2", "down_only", "activation", "gradient", "taylor", "sensitivity", "fisher", "grasp", "random"]
"""Scores of the study; the catalogue may have grown since. SNIP is a case of its own: it needs another start."""
_ALL: dict[str, Any] = {"preset": "demo", "seeds": SEEDS, "own_images": True}


def size_of(task: str) -> Sweep:
    """Cutting beside an adapter of the final size from the start, and a linear probe, in as many epochs."""
    question = QUESTIONS["equal-size"]
    if task == TASKS[0]:
        return make_sweep({"name": "equal-size", **question, **_ALL})
    probe = {"name": PROBE, "settings": {"method": "linear"}}
    cases = [case for case in question["cases"] if case["name"] != LARGE]
    base = {"data.name": task, "data.max_eval": 1000}
    base |= {"data.shots": MORE_SHOTS[task]} if task in MORE_SHOTS else {}
    return make_sweep({**question, **_ALL, "name": f"equal-size-{task}", "base": base, "cases": [*cases, probe]})


def scope_of() -> Sweep:
    """Global and local cuts at the demo's compression."""
    return make_sweep({"name": "local-vs-global", **QUESTIONS["local-vs-global"], **_ALL})


def compression() -> Sweep:
    """Scores and scopes from a compression of 2 to one of 2,048, by cuts of three quarters."""
    cases: list[dict[str, Any]] = [
        {"name": f"{score}, {scope}", "settings": {"prune.score": score, "prune.scope": scope}}
        for score, scope in (("mimi", "global"), ("mimi", "local"), ("gradient", "global"), ("random", "global"))
    ]
    cases.append({"name": NONE, "settings": {"method": "linear"}, "equal_epochs": True})
    base = {"prune.sigma_target": 2048, "prune.rho": 0.75}
    question = "Which score and which scope, and does it matter more the more is cut? Where does it break?"
    return make_sweep({**_ALL, "name": "compression", "question": question, "base": base, "cases": cases})


def schedules() -> Sweep:
    """A third of the epochs: many cuts within one training, or a single cut."""
    annealed = {"prune.schedule": "anneal", "train.epochs": 20}
    cases = [
        {"name": ANNEALED, "settings": annealed},
        {"name": SETTLED, "settings": {**annealed, "prune.warm": 0.1, "prune.settle": 0.5}},
        {"name": ONE_SHOT, "settings": {"prune.schedule": "one_shot", "train.epochs": 10}},
    ]
    question = "What does a third of the epochs reach: in one annealed training, or with a single cut?"
    return make_sweep({**_ALL, "name": "schedules", "question": question, "cases": cases})


def scores() -> Sweep:
    """`STUDIED`, at the demo's compression in cuts of half. Added last, when the others had nearly all finished."""
    return make_sweep({"name": "scores", **QUESTIONS["scores"], **_ALL, "grid": {"prune.score": STUDIED}})


def study() -> list[Sweep]:
    """All of it, what answers the most first."""
    return [size_of(TASKS[0]), scope_of(), schedules(), compression(), *(size_of(task) for task in TASKS[1:]), scores()]
