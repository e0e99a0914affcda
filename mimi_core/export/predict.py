"""One image through the saved cycles of a run: one model, filled with one cycle after the other, on the CPU."""

import base64
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mimi_core.config import RunConfig
from mimi_core.data.decode import Decoding, read_image
from mimi_core.errors import MimiError, RunError
from mimi_core.export.saved import Saved, learned_from_grey, read_saved, restorable, saved_cycles
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.fingerprint import check_backbone
from mimi_core.runs.formats.gallery import CyclePrediction, Prediction

SEEN_EDGE = 256


def predict(run: Path, config: RunConfig, image: Path, cycles: Sequence[int] | None = None) -> Prediction:
    """Ask the models of a run.

    Args:
        cycles: which; None: all that were saved. One that cannot be read says so, and the others answer all the same.

    Raises:
        MimiError: the image or the backbone cannot be read, or no cycle at all.
    """
    started = time.monotonic()
    picture = read_image(image)  # first: a bad file is told before the backbone's file is read
    check_backbone(run, config)
    wanted = sorted(set(saved_cycles(run) if cycles is None else cycles))
    states = {cycle: _read(run, cycle) for cycle in wanted}
    readable = [saved for saved in states.values() if isinstance(saved, Saved)]
    if not readable:
        raise RunError(
            next((str(e) for e in states.values()), f"{run.name} has not saved a cycle yet; let it train on")
        )
    names, levels = readable[0].class_names, readable[0].levels
    how = Decoding(levels, config.data.max_pixels)
    picture = read_image(image, decoding=how)  # first: a bad file is told before a model is built
    model = restorable(config, len(names), learned_from_grey(run), levels)
    pixels = model.preprocess.pixels(picture)
    inputs = model.preprocess.inputs(pixels[None])

    def answers() -> Iterator[CyclePrediction]:
        for cycle, saved in states.items():
            try:
                if not isinstance(saved, Saved):
                    raise saved
                if saved.class_names != names:
                    raise RunError(f"{saved.path} is of a run with other classes")
                with torch.inference_mode():
                    probabilities = model.fill(saved)(inputs)[0].float().softmax(0)
                if not bool(probabilities.isfinite().all()):
                    raise RunError(f"the model of cycle {cycle} gives no finite numbers: its training went astray")
            except MimiError as error:
                yield CyclePrediction(cycle=cycle, error=str(error))
            else:
                yield CyclePrediction(cycle=cycle, probabilities=probabilities.tolist())

    return Prediction(
        ok=True,
        class_names=list(names),
        cycles=list(answers()),
        seen=_png(pixels.numpy()),
        image_size=model.preprocess.image_size,
        seconds=time.monotonic() - started,
    )


def _read(run: Path, cycle: int) -> Saved | MimiError:
    try:
        return read_saved(cycle_weights.path_of(run, cycle))
    except MimiError as error:
        return error


def _png(pixels: np.ndarray) -> str:
    """(C, S, S) uint8 as PNG in base64, small enough to look at."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    image.thumbnail((SEEN_EDGE, SEEN_EDGE))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
