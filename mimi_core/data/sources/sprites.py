"""Structured tasks in the manner of dSprites and CLEVR, drawn here from fixed seeds: no file, no download.

Where the answer lies is not what things look like, but where one is (`sprites-location`), where it points
(`sprites-orientation`) and how many there are (`sprites-count`). Shapes, sizes, colours and backgrounds vary at random
and tell nothing. Pictures are drawn when they are asked for, each from its own numbers, so that a few cost little.

The same everywhere: `RandomState`'s stream is frozen, and but for the sine and cosine of an angle all arithmetic is of
the kind that IEEE 754 fixes to the last bit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mimi_core.config import DataConfig
from mimi_core.data.source import Source
from mimi_core.data.types import Channels, Dataset, Progress, Split

EDGE = 64
SIZES = {"train": 4032, "val": 768, "test": 1920}
"""Multiples of 6 and of 16: all classes are equally frequent."""
NOISE = 4
"""Half-width of the noise on every colour of every pixel, of 255."""
CONTRAST = 0.3
"""Least difference in brightness between the background's first colour and the sprites', of 1."""
BRIGHTNESS = np.array([0.3, 0.59, 0.11])

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Coordinates (h, w) along a sprite's direction and across, in units of its radius -> signed distance, inside < 0."""


@dataclass(frozen=True)
class Sprite:
    """One thing in a picture: centre and radius in pixels, direction clockwise from upwards in radians."""

    shape: Shape
    x: float
    y: float
    radius: float
    direction: float


@dataclass(frozen=True)
class SpriteTask:
    summary: str
    class_names: tuple[str, ...]
    sprites: Callable[[np.random.RandomState, int], list[Sprite]]
    """What is in a picture of that class."""


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """The splits of a task, the same whatever the seeds; nothing is drawn yet."""
    names = TASKS[config.name].class_names
    train, val, test = (
        Split(SpriteImages(config.name, split, np.arange(size)), np.arange(size) % len(names))
        for split, size in SIZES.items()
    )
    return Dataset(config.name, names, train, val, test)


@dataclass(frozen=True, eq=False)
class SpriteImages:
    """Pictures that are drawn on access. Picture i is of class i modulo the number of classes.

    Args:
        task: a key of `TASKS`.
        split: a key of `SIZES`.
        indices: (k,) numbers of pictures.
    """

    task: str
    split: str
    indices: np.ndarray

    @property
    def channels(self) -> Channels:
        return 3

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(draw(self.task, self.split, int(self.indices[index])))

    def thumbnail(self, index: int, edge: int) -> tuple[Image.Image, tuple[int, int]]:
        image = self[index]
        size = image.size
        image.thumbnail((edge, edge))
        return image, size

    def take(self, indices: np.ndarray) -> "SpriteImages":
        return replace(self, indices=self.indices[indices])

    def describe(self, index: int) -> str:
        return f"{self.task} {self.split} image {int(self.indices[index])}"


def draw(task: str, split: str, number: int) -> np.ndarray:
    """Picture `number` of a split: (64, 64, 3) uint8. A function of these three alone."""
    random = np.random.RandomState([list(TASKS).index(task), list(SIZES).index(split), number])
    sprites = TASKS[task].sprites(random, number % len(TASKS[task].class_names))
    paper = random.uniform(0.1, 0.9, 3)
    canvas = paper + _gradient(random)[..., None] * random.uniform(-0.1, 0.1, 3)
    ink = _ink(random, paper)
    for sprite in sprites:
        _paint(canvas, sprite, ink)
    noise = random.randint(-NOISE, NOISE + 1, canvas.shape)
    return np.clip(np.rint(canvas * 255) + noise, 0, 255).astype(np.uint8)


def _gradient(random: np.random.RandomState) -> np.ndarray:
    """(64, 64): rises from about -1 to 1 along a random direction."""
    angle = random.uniform(0, 2 * math.pi)
    steps = (np.arange(EDGE) + 0.5) / (EDGE / 2) - 1
    return math.cos(angle) * steps[None, :] + math.sin(angle) * steps[:, None]


def _ink(random: np.random.RandomState, paper: np.ndarray) -> np.ndarray:
    """A colour that stands out from the background's."""
    while True:
        ink = random.random_sample(3)
        if abs(((ink - paper) * BRIGHTNESS).sum()) >= CONTRAST:
            return ink


def _paint(canvas: np.ndarray, sprite: Sprite, ink: np.ndarray) -> None:
    """Blend a sprite in, with smooth edges; what lies outside of the canvas is cut off."""
    reach = sprite.radius + 1
    left, top = (max(0, math.floor(centre - reach)) for centre in (sprite.x, sprite.y))
    right, bottom = (min(EDGE, math.ceil(centre + reach)) for centre in (sprite.x, sprite.y))
    dx = ((np.arange(left, right) + 0.5 - sprite.x) / sprite.radius)[None, :]
    dy = ((np.arange(top, bottom) + 0.5 - sprite.y) / sprite.radius)[:, None]
    sin, cos = math.sin(sprite.direction), math.cos(sprite.direction)
    distance = sprite.shape(dx * sin - dy * cos, dx * cos + dy * sin) * sprite.radius
    covered = np.clip(0.5 - distance, 0, 1)[..., None]
    part = canvas[top:bottom, left:right]
    part += covered * (ink - part)


# --- shapes: all within a circle of radius 1 --------------------------------------------------------------------------


def _disc(u: np.ndarray, v: np.ndarray, radius: float = 1.0) -> np.ndarray:
    return np.sqrt(u * u + v * v) - radius


def _box(u: np.ndarray, v: np.ndarray, length: float, width: float) -> np.ndarray:
    return np.maximum(np.abs(u) - length, np.abs(v) - width)


def _wedge(u: np.ndarray, v: np.ndarray, tip: float, slope: float) -> np.ndarray:
    """All that lies behind a tip; `slope`: half its width per length."""
    return (np.abs(v) - (tip - u) * slope) / math.sqrt(1 + slope * slope)


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _box(u, v, 0.75, 0.75)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(_box(u, v, 0.94, 0.33), _box(u, v, 0.33, 0.94))


def _ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.abs(_disc(u, v, 0.72)) - 0.26


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(_wedge(u, v, 1.0, 0.577), -0.5 - u)


def _arrow(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    head = np.maximum(_wedge(u, v, 1.0, 0.8), -u)
    return np.minimum(head, _box(u + 0.4, v, 0.5, 0.25))


def _chevron(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(_wedge(u, v, 1.0, 0.5), -_wedge(u, v, 0.0, 0.9)), -0.75 - u)


def _drop(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A disc and the tangents from a tip to it."""
    tip = np.maximum(_wedge(u, v, 1.0, 0.45), 0.0 - u - 0.15)
    return np.minimum(_disc(u + 0.4, v, 0.57), tip)


SHAPES: tuple[Shape, ...] = (_disc, _square, _cross, _ring, _triangle)
POINTED: tuple[Shape, ...] = (_arrow, _chevron, _drop)


# --- tasks ------------------------------------------------------------------------------------------------------------

ROWS = ("top", "upper", "lower", "bottom")
COLUMNS = ("far left", "left", "right", "far right")
WINDS = (
    "north, north-north-east, north-east, east-north-east, east, east-south-east, south-east, south-south-east, "
    "south, south-south-west, south-west, west-south-west, west, west-north-west, north-west, north-north-west"
).split(", ")
NUMBERS = ("one", "two", "three", "four", "five", "six")

CELL, MARGIN = 12.0, 8.0
"""Of the grid of places, in pixels; the margin lets a sprite at the edge be seen whole."""


def _pick(random: np.random.RandomState, shapes: tuple[Shape, ...]) -> Shape:
    return shapes[random.randint(len(shapes))]


def _located(random: np.random.RandomState, label: int) -> list[Sprite]:
    """One sprite whose centre lies in a cell, a pixel away from the next."""
    row, column = divmod(label, len(COLUMNS))
    x, y = (MARGIN + CELL * place + random.uniform(1, CELL - 1) for place in (column, row))
    return [Sprite(_pick(random, SHAPES), x, y, random.uniform(4.5, 9), random.uniform(0, 2 * math.pi))]


def _oriented(random: np.random.RandomState, label: int) -> list[Sprite]:
    """One sprite that points in a direction, give or take a quarter of what lies between two."""
    step = 2 * math.pi / len(WINDS)
    direction = (label + random.uniform(-0.25, 0.25)) * step
    radius = random.uniform(18, 24)
    x, y = EDGE / 2 + random.uniform(-3, 3, 2)
    return [Sprite(_pick(random, POINTED), x, y, radius, direction)]


def _counted(random: np.random.RandomState, label: int) -> list[Sprite]:
    """Several sprites of one kind, apart from each other; how large they are says nothing of how many there are."""
    shape, radius = _pick(random, SHAPES), random.uniform(5, 7)
    placed = []
    for cell in random.permutation(9)[: label + 1]:  # of three by three, 21 pixels wide: they never touch
        row, column = divmod(int(cell), 3)
        x, y = (11 + 21 * place + random.uniform(-2.5, 2.5) for place in (column, row))
        placed.append(Sprite(shape, x, y, radius * random.uniform(0.9, 1.1), random.uniform(0, 2 * math.pi)))
    return placed


TASKS = {
    "sprites-location": SpriteTask(
        "in which of 16 places is it? 64x64 pixels, 16 classes",
        tuple(f"{row} {column}" for row in ROWS for column in COLUMNS),
        _located,
    ),
    "sprites-orientation": SpriteTask("which way does it point? 64x64 pixels, 16 classes", tuple(WINDS), _oriented),
    "sprites-count": SpriteTask("how many are there, one to six? 64x64 pixels, 6 classes", NUMBERS, _counted),
}


SOURCES = tuple(Source(name, f"drawn here: {task.summary}", load, order=30) for name, task in TASKS.items())
