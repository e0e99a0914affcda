"""A saved cycle of a run as a model again: the backbone, its adapters at the widths they had, the head."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.shrink import shrink
from mimi_core.config import RunConfig
from mimi_core.data.decode import USUAL, Decoding, as_read, in_words, read_image
from mimi_core.data.levels import FULL, GreyLevels
from mimi_core.data.pixels import square, to_float
from mimi_core.errors import RunError
from mimi_core.export.opened_pack import MOST_CLASSES
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.gallery import read_gallery
from mimi_core.runs.formats.npz import UNREADABLE
from mimi_core.train.setup import build_model


@dataclass(frozen=True)
class Preprocess:
    """How a file becomes the model's input, the same way as in training: decoded, resized directly, normalised.

    Attributes:
        image_size: S, the edge in pixels.
        mean, std: of the three channels, for pixels in 0..1.
        grey: the run learned from pictures without colours, so colours are dropped.
        decoding: how files are read.
    """

    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    grey: bool = False
    decoding: Decoding = USUAL

    def pixels(self, image: Image.Image | Path | str) -> Tensor:
        """A file, or a picture that Pillow opened, as (C, S, S) uint8: one channel if grey, else three.

        Raises:
            DataError, ResourceError: it cannot be read, or would not have been trained on.
        """
        how = self.decoding
        picture = as_read(image, how) if isinstance(image, Image.Image) else read_image(Path(image), decoding=how)
        return torch.from_numpy(square(picture.convert("L" if self.grey else "RGB"), self.image_size).copy())

    def scaled(self, image: Image.Image | Path | str) -> Tensor:
        """The same as (3, S, S) float32 in 0..1: what an exported graph takes."""
        return (self.pixels(image).float() / 255).expand(3, -1, -1)

    @property
    def in_words(self) -> str:
        """For those who have to do it without this program; normalisation left out."""
        grey = ", turned grey (Pillow's mode L: ITU-R 601)" if self.grey else ""
        size = f"{self.image_size} x {self.image_size}"
        return (
            f"decoded ({in_words(self.decoding.levels)}){grey}, resized to the whole {size} without a crop (bicubic, "
            "antialiased, as Pillow does it), scaled to 0..1"
        )

    def inputs(self, pixels: Tensor) -> Tensor:
        """(B, C, S, S) uint8 -> (B, 3, S, S) float32."""
        return to_float(pixels, self.mean, self.std)

    def __call__(self, image: Image.Image | Path | str) -> Tensor:
        """A file, or a picture that Pillow opened, as (3, S, S) float32."""
        return self.inputs(self.pixels(image)[None])[0]


@dataclass(frozen=True)
class Saved:
    """An `adapters.safetensors` whose metadata have been checked; its tensors stay on disk.

    Attributes:
        widths: site -> neurons; 0 where the adapter is gone.
        shapes: name -> shape of every tensor.
        levels: how the run read 16-bit pictures.
    """

    path: Path
    cycle: int
    widths: dict[str, int]
    class_names: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    levels: GreyLevels = FULL


def saved_cycles(run: Path) -> list[int]:
    """The cycles of a run whose weights were saved, rising."""
    try:
        names = [entry.name for entry in (run / "cycles").iterdir()]
    except OSError:
        return []
    numbers = sorted(int(name) for name in names if name.isdecimal() and len(name) < 6)
    return [cycle for cycle in numbers if cycle_weights.path_of(run, cycle).is_file()]


def read_saved(path: Path) -> Saved:
    """Raises RunError when the file is missing, broken, or no saved cycle."""
    if not path.is_file():
        raise RunError(f"{path} is missing: the run has not saved this cycle, or the file was removed")
    with _opened(path) as file:
        try:
            metadata = cycle_weights.parsed(path, file.metadata())
            cycle, widths, names = metadata["cycle"], metadata["widths"], metadata["class_names"]
            levels = metadata.get(cycle_weights.LEVELS, [FULL.black, FULL.white])
        except KeyError as error:
            raise RunError(f"{path} is no saved cycle of a run: it does not say of what") from error
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  (no dict)
    sound = (
        _is_count(cycle)
        and isinstance(widths, dict)
        and all(_is_count(width) for width in widths.values())
        and isinstance(names, list)
        and 0 < len(names) <= MOST_CLASSES
        and all(isinstance(name, str) for name in names)
        and isinstance(levels, list)
        and len(levels) == 2
        and all(_is_count(level) for level in levels)
        and levels[0] < levels[1] <= FULL.white
    )
    if not sound:
        raise RunError(f"{path} is no saved cycle of a run: its cycle, widths, classes or levels make no sense")
    return Saved(path, cycle, widths, tuple(names), shapes, GreyLevels(*levels))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except RunError:  # says more than that it cannot be read
        raise
    except UNREADABLE as error:
        raise RunError(f"{path} cannot be read: it is broken, or no safetensors file") from error


@dataclass(frozen=True)
class Restorable:
    """The model of a run, to be filled with its saved cycles in rising order: adapters only ever shrink."""

    model: nn.Module
    preprocess: Preprocess
    sites: frozenset[str]

    def fill(self, saved: Saved) -> nn.Module:
        """Give the model the widths and weights of a saved cycle, and set it to evaluate.

        Raises:
            RunError: the file is of another model, which is found before anything is touched; or cannot be read.
        """
        adapters, rest = adapters_of(self.model), self._rest(saved)
        now = {site: adapter.hidden_width for site, adapter in adapters.items()}
        wrong = f"{saved.path} does not fit the run's model: was config.yaml changed?"
        if set(saved.widths) != self.sites or any(width > now.get(site, 0) for site, width in saved.widths.items()):
            raise RunError(wrong)
        shapes = {name: tuple(tensor.shape) for name, tensor in rest.items()}
        for site, width in saved.widths.items():
            if width:
                tokens = adapters[site].token_width
                shapes |= {
                    cycle_weights.adapter_key(site, "down"): (width, tokens),
                    cycle_weights.adapter_key(site, "up"): (tokens, width),
                }
        if odd := sorted(name for name in shapes | saved.shapes if shapes.get(name) != saved.shapes.get(name)):
            raise RunError(f"{wrong} They differ in {odd[0]!r}")
        with _opened(saved.path) as file:
            stored = {name: file.get_tensor(name) for name in shapes}
        kinds = {name: tensor.dtype for name, tensor in rest.items()}
        for name, values in stored.items():
            if values.dtype != kinds.get(name, torch.float32):
                raise RunError(f"{wrong} {name!r} holds {values.dtype}, not {kinds.get(name, torch.float32)}")
        shrink(self.model, {site: np.arange(saved.widths[site]) for site in adapters})
        left = adapters_of(self.model).items()
        own = {
            cycle_weights.adapter_key(site, name): p for site, adapter in left for name, p in adapter.named_parameters()
        }
        with torch.no_grad():
            for name, tensor in (rest | own).items():
                tensor.copy_(stored[name])
        return self.model.eval()

    def _rest(self, saved: Saved) -> dict[str, Tensor]:
        """Name in the file -> what was trained besides adapters: the head, or everything with its statistics."""
        own = {id(p) for adapter in adapters_of(self.model).values() for p in adapter.parameters()}
        named = self.model.named_parameters()
        trained: dict[str, Tensor] = {
            cycle_weights.model_key(n): p for n, p in named if p.requires_grad and id(p) not in own
        }
        if not all(p.requires_grad for p in self.model.parameters()):
            return trained
        buffers = {cycle_weights.model_key(name): buffer for name, buffer in self.model.named_buffers()}
        drifted = [name for name in buffers if name.endswith((".running_mean", ".running_var"))]
        if any(name not in saved.shapes for name in drifted):
            raise RunError(
                f"{saved.path} lacks the running statistics of the backbone's normalisation layers, which full "
                "fine-tuning changes; this cycle cannot be restored"
            )
        return trained | {name: buffer for name, buffer in buffers.items() if name in saved.shapes}


def restorable(config: RunConfig, classes: int, grey: bool = False, levels: GreyLevels = FULL) -> Restorable:
    """Build the model of a run on the CPU.

    Args:
        grey: as `learned_from_grey` says.
        levels: of its saved cycles.

    Raises:
        MimiError: its backbone cannot be had here.
    """
    model, sites, image_size, vision, _ = build_model(config, classes)
    how = Decoding(levels, config.data.max_pixels)
    preprocess = Preprocess(image_size, tuple(vision.mean.tolist()), tuple(vision.std.tolist()), grey, how)
    return Restorable(model, preprocess, frozenset(site.name for site in sites))


def learned_from_grey(run: Path) -> bool:
    """Whether the run's pictures had no colours, as far as its gallery tells."""
    try:
        return read_gallery(run).is_grey
    except RunError:
        return False
