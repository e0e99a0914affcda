"""What the presets are for, in words; their numbers are those of their configs."""

from collections.abc import Callable, Mapping

from mimi_core.analysis.common.words import count
from mimi_core.config import RunConfig, make_config

DEMO_SECONDS = 45, 120
"""What the demo takes on two CPU cores that are idle, or busy with something else; by `benchmarks/demo.py`."""
_TITLES = {"demo": "Demo", "quick": "Quick look", "paper": "The paper", "own": "Own images"}


def title(preset: str) -> str:
    return _TITLES.get(preset, preset.replace("_", " ").capitalize())


def about(preset: str) -> str:
    """Empty for one that nobody has described."""
    return _WORDS[preset](make_config(preset=preset)) if preset in _WORDS else ""


def size(config: RunConfig) -> str:
    """`30 images of every digit, 4 cuts`, of a preset on digits."""
    return f"{count(config.data.shots or 0, 'image')} of every digit, {count(len(config.kept_shares), 'cut')}"


def demo_takes() -> str:
    low, high = DEMO_SECONDS
    return f"{low} seconds to {count(high // 60, 'minute')} on two CPU cores"


_WORDS: Mapping[str, Callable[[RunConfig], str]] = {
    "demo": lambda config: f"{size(config)}, on the bundled small backbone: {demo_takes()}.",
    "quick": lambda config: f"The demo, but smaller: {size(config)}; some seconds. To see that all works.",
    "paper": lambda config: (
        f"The paper's settings: {config.train.epochs} epochs a cycle on a Swin-T. Wants a GPU and that model's weights."
    ),
    "own": lambda config: (
        "For a folder or a zip of your own, and few images: the head starts at a linear probe, images are flipped at "
        "random, and the learning rate is low."
    ),
}
