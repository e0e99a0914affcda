"""Adapter packs: one cycle of a run in one zip, with all that it takes to use it elsewhere, and the way back.

The backbone is not in it. It is named, with a fingerprint of its frozen weights, and loaded as the run loaded it.
"""

import contextlib
import hashlib
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from mimi_core.adapters.attach import adapters_of
from mimi_core.backbones.loading import NotFetchedError, outline
from mimi_core.backbones.offline import without_requests
from mimi_core.config import DEMO_BACKBONE, RunConfig, to_yaml
from mimi_core.config.methods import METHODS
from mimi_core.data.decode import Decoding, in_words
from mimi_core.data.levels import GreyLevels
from mimi_core.data.memory import free_bytes
from mimi_core.errors import ExportError, MimiError
from mimi_core.export.opened_pack import MANIFEST, Manifest, Preprocessing, unpack
from mimi_core.export.saved import (
    Preprocess,
    Restorable,
    Saved,
    learned_from_grey,
    read_saved,
    restorable,
)
from mimi_core.runs import files
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.fingerprint import check_backbone

README = "README.md"
_BYTES = 4
"""Of a number in the weights."""


class Loaded(NamedTuple):
    model: nn.Module
    preprocess: Preprocess
    class_names: tuple[str, ...]


def write_pack(run: Path, config: RunConfig, cycle: int, target: Path) -> None:
    """Write one saved cycle as a zip, once it is known that a model comes out of it.

    Raises:
        MimiError: the cycle or the backbone cannot be read, or the target cannot be written.
    """
    path = cycle_weights.path_of(run, cycle)
    saved = read_saved(path)
    check_backbone(run, config)
    ready = restorable(config, len(saved.class_names), learned_from_grey(run), saved.levels)
    ready.fill(saved)
    # Of its own words: a run folder may hold a config file with anything in it besides.
    texts = {files.CONFIG: to_yaml(config), README: _readme(run.name, config, saved, ready)}
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    made = ready.preprocess
    manifest = Manifest(
        run=run.name,
        cycle=cycle,
        class_names=list(saved.class_names),
        preprocessing=Preprocessing(
            image_size=made.image_size,
            mean=list(made.mean),
            std=list(made.std),
            grey=made.grey,
            levels=[made.decoding.levels.black, made.decoding.levels.white],
            before=in_words(made.decoding.levels),
        ),
        backbone=config.backbone.name,
        backbone_sha256=fingerprint(ready.model),
        versions=config.versions,
        sha256={cycle_weights.FILE: _sha256(path)} | sums,
    )
    with files.replaced(target) as partial, zipfile.ZipFile(partial, "w") as archive:
        archive.write(path, cycle_weights.FILE)
        for name, text in {**texts, MANIFEST: manifest.model_dump_json(indent=1)}.items():
            archive.writestr(name, text, zipfile.ZIP_DEFLATED)


def load_pack(path: Path | str, checkpoint: Path | None = None, *, allow_download: bool = False) -> Loaded:
    """The model of a pack, from the pack alone and the backbone that it names.

    A pack may come from anybody. Nothing in it is run, no file that it names is opened, and no request leaves for it
    unless that is asked for. It is looked through before anything is built.

    Args:
        path: the zip.
        checkpoint: where the backbone's weights are, for a run that took them from a local file.
        allow_download: the backbone that it names may be fetched from the Hugging Face Hub where it is not here.

    Returns:
        model in eval mode on the CPU, (B, 3, S, S) -> logits (B, classes); what makes its input of a picture;
        class names.

    Raises:
        ExportError: the pack is broken, was changed or wants too much, or its backbone cannot be had here.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _loaded(Path(path), Path(folder), checkpoint, allow_download)
        except ExportError:
            raise
        except MimiError as error:
            raise ExportError(f"{path}: {str(error).replace(f'{folder}/', '')}") from error
        except Exception as error:  # a model made of numbers that nobody vouches for can fail in any way
            raise ExportError(f"{path} makes no model here: {_short(error) or type(error).__name__}") from error


def _loaded(path: Path, folder: Path, checkpoint: Path | None, allow_download: bool) -> Loaded:
    manifest, config = unpack(path, folder)
    saved = read_saved(folder / cycle_weights.FILE)
    _refuse_at_odds(path, manifest, saved)
    config = _with_backbone(path, config, checkpoint)
    _refuse_too_large(path, config, saved)
    ready = _built(path, config, saved, manifest.preprocessing.grey, allow_download)
    made = manifest.preprocessing
    if made.image_size != ready.preprocess.image_size:
        raise ExportError(
            f"{path}: {made.image_size} pixels in {MANIFEST}, and a model for {ready.preprocess.image_size}; "
            "get the pack anew"
        )
    model = ready.fill(saved)
    if odd := [name for name, p in model.named_parameters() if p.requires_grad and not bool(p.isfinite().all())]:
        raise ExportError(f"{path} holds NaN or infinity in {odd[0]!r}: its training went astray, or it was damaged")
    if fingerprint(model) != manifest.backbone_sha256:
        warnings.warn(
            f"the backbone {config.backbone.name} has other weights here than where the pack was made: "
            "predictions may differ",
            stacklevel=3,
        )
    how = Decoding(GreyLevels(*made.levels), config.data.max_pixels)
    preprocess = Preprocess(made.image_size, tuple(made.mean), tuple(made.std), made.grey, how)
    return Loaded(model, preprocess, saved.class_names)


def _refuse_at_odds(path: Path, manifest: Manifest, saved: Saved) -> None:
    """What stands in more than one place of a pack says the same."""
    pairs = {"cycle": (manifest.cycle, saved.cycle), "classes": (tuple(manifest.class_names), saved.class_names)}
    for what, (told, kept) in pairs.items():
        if told != kept:
            raise ExportError(f"{path}: {MANIFEST} and {cycle_weights.FILE} tell of different {what}; get it anew")
    heads = {shape[0] for name, shape in saved.shapes.items() if shape and cycle_weights.adapter_part(name) is None}
    if len(saved.class_names) not in heads:
        raise ExportError(f"{path} has no weights for its {len(saved.class_names):,} classes; get the pack anew")


def _with_backbone(path: Path, config: RunConfig, checkpoint: Path | None) -> RunConfig:
    """The config with a file of this machine, never with the one that a pack names: it could be any."""
    if checkpoint is None and config.backbone.checkpoint is not None:
        raise ExportError(
            f"{path} is of a backbone whose weights came from a file, {config.backbone.checkpoint.name}: say where "
            "it is here, with checkpoint=FILE"
        )
    return config.model_copy(update={"backbone": config.backbone.model_copy(update={"checkpoint": checkpoint})})


def _refuse_too_large(path: Path, config: RunConfig, saved: Saved) -> None:
    """Nothing is allocated that the weights in the pack do not bear out, or that there is no memory for."""
    longest = max((edge for shape in saved.shapes.values() for edge in shape), default=0)
    for key in ("rank", "prompts"):
        wanted = getattr(config.peft, key)
        if METHODS[config.method].may_use(f"peft.{key}") and wanted > longest:
            raise ExportError(f"{path} asks for peft.{key}={wanted:,}, and no weight in it has such an edge")
    if config.backbone.name == DEMO_BACKBONE or ":" in config.backbone.name:  # of the hub's, only the hub knows
        return
    needed = 0
    with contextlib.suppress(Exception):  # not every model has an outline; what is wrong with it is told by building it
        model = outline(config.backbone.name, config.backbone.image_size).model
        needed = 2 * _BYTES * sum(p.numel() for p in model.parameters())  # the model and its file
    if needed > free_bytes():
        raise ExportError(
            f"{path}: its backbone {config.backbone.name} takes about {needed / 2**30:.1f} GiB, and "
            f"{free_bytes() / 2**30:.1f} GiB of memory are free"
        )


def _built(path: Path, config: RunConfig, saved: Saved, grey: bool, allow_download: bool) -> Restorable:
    if allow_download:
        return restorable(config, len(saved.class_names), grey)
    try:
        with without_requests():
            return restorable(config, len(saved.class_names), grey)
    except NotFetchedError as error:
        raise ExportError(
            f"{path} needs the backbone {config.backbone.name}, which is not on this machine, and a pack fetches "
            "nothing unasked: load_pack(.., allow_download=True) fetches it from the Hugging Face Hub, if you trust "
            "who made the pack; or give a file of yours with checkpoint=FILE"
        ) from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def fingerprint(model: nn.Module) -> str:
    """SHA-256 of all weights and buffers that do not train, by name."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name not in trained:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _readme(run: str, config: RunConfig, saved: Saved, ready: Restorable) -> str:
    adapters = adapters_of(ready.model)
    neurons = sum(adapter.hidden_width for adapter in adapters.values())
    what = f"{neurons:,} neurons in {len(adapters)} of {len(saved.widths)} layers" if saved.widths else "no adapters"
    trained = sum(p.numel() for p in ready.model.parameters() if p.requires_grad)
    made = ready.preprocess
    where = ', checkpoint="FILE"' if config.backbone.checkpoint else ""
    if not where and config.backbone.name != DEMO_BACKBONE and config.backbone.pretrained:
        where = ", allow_download=True"
    adds = "h + up(gelu(down(h))) of the output h of its site"
    if config.adapter.placement == "parallel":
        adds = f"y + {config.adapter.scale:g} up(gelu(down(h))) of the input h and output y of its site"
    return f"""# Adapter pack: cycle {saved.cycle} of {run}

Method `{config.method}` on the backbone `{config.backbone.name}`: {what}; {trained:,} trained parameters.
The backbone itself is not in the pack. It is loaded as the run loaded it.

    from mimi_core.export import load_pack

    model, preprocess, class_names = load_pack("this.zip"{where})
    logits = model(preprocess("picture.png")[None])
    print(class_names[logits.argmax()])

- `{cycle_weights.FILE}`: `adapters.<site>.down` (N, M) and `.up` (M, N) of every adapter that is left, and
  `model.*`, whatever else was trained. Plain safetensors; metadata: widths, classes, config.
- `{files.CONFIG}`: all settings of the run, and the versions that it was made with.
- `{MANIFEST}`: class names, preprocessing, a fingerprint of the backbone, SHA-256 of the files here.

Without this program, a picture is {made.in_words}. Then subtract
{list(made.mean)}, divide by {list(made.std)}. An adapter makes `{adds}`.
"""
