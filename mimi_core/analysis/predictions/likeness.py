"""Whether a picture looks like those of a run, told by plain statistics of its colours. No model is asked.

A classifier answers with one of its classes whatever it is shown, and often with great confidence; so a page says when
a picture lies outside of all that the run's images span.
"""

import base64
import io

import numpy as np
from PIL import Image

from mimi_core.analysis.common.words import listed

TOLERANCE, LEAST = 0.25, 0.08
"""How far outside of their range a value must lie: in ranges, and at least, where 1 is from black to white."""
COLOURFUL = 0.05
"""Mean difference of the strongest and the weakest channel, from which on an image has colours."""


def statistics(images: np.ndarray) -> dict[str, np.ndarray]:
    """(n, e, e, 3) uint8 -> (n,) for each: brightness, edge (that of the outermost pixels), contrast (standard
    deviation), and colour, all 0..1."""
    pixels = images.astype(float) / 255
    grey = pixels.mean(-1)
    rim = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    return {
        "brightness": grey.mean((1, 2)),
        "edge": rim.mean(1),
        "contrast": grey.std((1, 2)),
        "colour": (pixels.max(-1) - pixels.min(-1)).mean((1, 2)),
    }


def unlike(picture: np.ndarray, images: np.ndarray) -> str:
    """In what a picture differs from all images of a run, as a sentence; empty where it does not. Plain text.

    Args:
        picture: (e, e, 3) uint8, as small as the images, for contrast depends on it.
        images: (n, e, e, 3) uint8.
    """
    its, theirs = statistics(picture[None]), statistics(images)
    reasons = []
    coloured, colours = float(its["colour"][0]), theirs["colour"]
    if coloured > COLOURFUL and colours.max() < COLOURFUL / 2:
        reasons.append("it has colours, they are grey")
    elif coloured < COLOURFUL / 2 and colours.min() > COLOURFUL:
        reasons.append("it is grey, they have colours")
    if side := _outside(its["edge"], theirs["edge"]):
        reasons.append("its edge is lighter than theirs" if side > 0 else "its edge is darker than theirs")
    if side := _outside(its["brightness"], theirs["brightness"]):
        reasons.append("it is lighter as a whole" if side > 0 else "it is darker as a whole")
    if side := _outside(its["contrast"], theirs["contrast"]):
        reasons.append("it has more contrast" if side > 0 else "it has less contrast")
    if not reasons:
        return ""
    return (
        f"This picture is unlike all of them: {listed(reasons)}. The models never saw one like it, so their answer "
        "says little, however sure they are."
    )


def as_seen(content: str, edge: int) -> np.ndarray:
    """The picture in a PNG in base64, made as small as the images that it is held against: (edge, edge, 3) uint8."""
    with Image.open(io.BytesIO(base64.b64decode(content)), formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB").resize((edge, edge), Image.Resampling.BOX))


def _outside(its: np.ndarray, theirs: np.ndarray) -> int:
    """1 above all of them, -1 below all of them, and 0 between or near."""
    value, low, high = float(its[0]), float(theirs.min()), float(theirs.max())
    room = max(TOLERANCE * (high - low), LEAST)
    return 1 if value > high + room else -1 if value < low - room else 0
