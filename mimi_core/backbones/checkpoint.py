"""Local files of weights, as the many programs that write them leave them, to the weights of one model.

Nothing in a file is run: pickles are read by torch's restricted reader, which knows tensors, numbers and the few kinds
of record that training scripts put beside them.
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mimi_core.backbones.misfit import counted, kinds, misfit
from mimi_core.errors import BackboneError

Weights = dict[str, Tensor]
Remap = Callable[[Weights, nn.Module], Mapping[str, Tensor]]
"""Names and shapes as somebody published them -> those of the model (timm's `checkpoint_filter_fn`)."""

_NESTED = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict", "module", "net", "weights")
"""Where training scripts keep the weights inside a checkpoint; averaged ones first, as timm does."""
_WRAPPERS = re.compile(r"(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch.compile, FSDP and checkpointing add to names, at the front or in the middle."""
_POSITIONS = re.compile(r"pos_embed|rel_pos|relative_position|attention_biases")
_NOT_FITTING = (RuntimeError, KeyError, ValueError, AttributeError, TypeError, IndexError, AssertionError)
_NUMPY = (
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
)


def read_checkpoint(path: Path) -> Weights:
    """All tensors of a file by name, without the names that wrappers added.

    Raises:
        BackboneError: the file is missing, broken, holds more than data, or no weights.
    """
    if not path.is_file():
        raise BackboneError(f"checkpoint {path} not found")
    if path.suffix == ".safetensors":
        try:
            content: object = load_file(path)
        except Exception as error:  # bytes that nobody vouches for can make a parser fail in any way
            raise BackboneError(f"checkpoint {path} cannot be read: {first_line(error)}") from error
    else:
        content = _unpickled(path)
    while isinstance(content, Mapping):
        inner = next((content[key] for key in _NESTED if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    named = content.items() if isinstance(content, Mapping) else ()
    weights = {_WRAPPERS.sub("", str(name)): value for name, value in named if isinstance(value, Tensor)}
    if not weights:
        raise BackboneError(
            f"checkpoint {path} holds no weights by name: save the model's state_dict(), by itself or under one of "
            f"{', '.join(_NESTED[2:5])}"
        )
    if all(name.startswith("module.") for name in weights):  # DataParallel; known to every filter as no part of names
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return weights


def _unpickled(path: Path) -> object:
    with torch.serialization.safe_globals(_harmless()):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # as above
            if "weights_only" not in str(error).lower() and "weights only" not in str(error).lower():
                raise BackboneError(f"checkpoint {path} cannot be read: {first_line(error)}") from error
            try:
                refused = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(path)))
            except Exception:  # only a message depends on it
                refused = []
            if not refused:
                raise BackboneError(f"checkpoint {path} cannot be read: it is broken, or holds code") from error
            raise BackboneError(
                f"{path} holds code, not just weights ({counted(refused)}), and code in a file is never run. Where it "
                "was made, save the weights alone: safetensors.torch.save_file(model.state_dict(), FILE)"
            ) from error


def _harmless() -> list[Any]:
    """Numbers of NumPy, under its old and new names, and a script's arguments: they hold data and do nothing."""
    scalar: Any = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(name)) for name in _NUMPY]
    scalars = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    return [argparse.Namespace, np.dtype, *dtypes, *scalars]


@dataclass(frozen=True)
class FittedWeights:
    """A file's weights by the model's own names, without a classifier.

    Attributes:
        weights: everything that the model has, in its shapes.
        remarks: what a user should know: what was resampled, what of the file was left aside.
    """

    weights: Weights
    remarks: tuple[str, ...]


def fit(weights: Weights, model: nn.Module, remap: Remap | None, heads: tuple[str, ...], what: str) -> FittedWeights:
    """Bring a file's weights into the names and shapes of a model.

    The model may be a part of what was saved (`model.` in Lightning, `backbone.` in detectors and self-supervised
    learning): the prefix under which the most of its names are found is taken off.

    Args:
        heads: how names of the classifier begin; they are left out.
        what: names file and model in errors: "FILE does not fit MODEL".

    Raises:
        BackboneError: something is missing, foreign, of another shape, or no number.
    """
    wanted = {name: value.shape for name, value in model.state_dict().items() if not name.startswith(heads)}
    best: Weights = {}
    prefix, failure = "", ""
    for tried in _prefixes(weights, wanted):
        part = {name.removeprefix(tried): value for name, value in weights.items() if name.startswith(tried)}
        try:
            renamed = dict(remap(dict(part), model) if remap else part)
        except _NOT_FITTING as error:
            failure = failure or first_line(error)
            continue
        renamed = {name: value for name, value in renamed.items() if not name.startswith(heads)}
        if not best or len(wanted.keys() - renamed) < len(wanted.keys() - best):
            best, prefix = renamed, tried
    if not best:
        raise BackboneError(f"{what}: {failure or 'it holds a classifier at most'}")
    if told := misfit({name: value.shape for name, value in best.items()}, wanted):
        raise BackboneError(f"{what}: {told}")
    refuse_not_finite(best, what.split(" does not fit ")[0])
    return FittedWeights(best, tuple(_remarks(weights, best, prefix)))


def _prefixes(weights: Weights, wanted: Mapping[str, object]) -> list[str]:
    """None, then each step of the one under which the most names of the model are found.

    Raises:
        BackboneError: as many are found under another one: the file holds several such models.
    """
    hits: Counter[str] = Counter()
    for name in weights:
        starts = accumulate((f"{part}." for part in name.split(".")[:-1]), initial="")
        hits.update(start for start in starts if name.removeprefix(start) in wanted)
    if not hits:
        return [""]
    most = max(hits.values())
    leading = [start for start, count in hits.items() if count == most]
    if "" in leading or 2 * most < len(wanted):  # as for a file in other words, or of another model
        return [""]
    if len(leading) > 1:
        raise BackboneError(
            f"the checkpoint holds {len(leading)} such models, under {counted(leading)}: save one of them alone"
        )
    return ["", *accumulate(f"{part}." for part in leading[0].split(".")[:-1])]


def refuse_not_finite(weights: Mapping[str, Tensor], what: str) -> None:
    """Raises BackboneError for NaN or infinity, which would end every training, by the tensors' names."""
    floats = {name: value for name, value in weights.items() if value.is_floating_point() and not value.is_meta}
    wrong = {name: int((~value.isfinite()).sum()) for name, value in floats.items() if not value.isfinite().all()}
    if wrong:
        told = [f"{name} ({count:,} of {floats[name].numel():,} numbers)" for name, count in wrong.items()]
        raise BackboneError(
            f"{what} holds NaN or infinity in {counted(told)}: the file is damaged, or its training had gone astray; "
            "get it anew, or take an earlier one"
        )


def _remarks(weights: Weights, fitted: Weights, prefix: str) -> Iterator[str]:
    before = {name.removeprefix(prefix): value.shape for name, value in weights.items() if name.startswith(prefix)}
    for name, value in fitted.items():
        if name in before and name.endswith("patch_embed.proj.weight") and before[name] != value.shape:
            old, new = ("{1} x {0}".format(*shape[-2:]) for shape in (before[name], value.shape))
            if old != new:
                yield (
                    f"the checkpoint is of patches of {old} pixels and was resampled to {new}: its features are other "
                    "than those it was trained for; a model of its own patch size is better"
                )
    tables = [n for n, v in fitted.items() if _POSITIONS.search(n) and n in before and before[n] != v.shape]
    if tables:
        old, new = ("x".join(map(str, shape)) for shape in (before[tables[0]], fitted[tables[0]].shape))
        yield (
            "the checkpoint is of another number of patches (image size over patch size), so its position embeddings "
            f"were resampled: {kinds(tables)}, {old} to {new}"
        )
    if aside := [name for name in weights if not name.startswith(prefix)]:
        yield f"of the checkpoint only what is under `{prefix}` was taken; left aside: {kinds(aside)}"


def first_line(error: Exception, limit: int = 160) -> str:
    """What an error says, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:limit]
