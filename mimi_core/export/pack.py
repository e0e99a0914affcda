"""Adapter packs: one cycle of a run in one zip, with all that it takes to use it elsewhere, and the way back.

The backbone is not in it. It is named, with a fingerprint of its frozen weights, and loaded as the run loaded it.
"""

import hashlib
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
from pydantic import BaseModel, Field
from torch import nn

from mimi_core.adapters.attach import adapters_of
from mimi_core.config import RunConfig, to_yaml, validate
from mimi_core.config.text import read_config_file
from mimi_core.data.decode import IN_WORDS
from mimi_core.errors import RunError
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
from mimi_core.runs.formats.npz import UNREADABLE

MANIFEST, README = "pack.json", "README.md"
_MOST_TEXT = 10 * 2**20
_Channels = Annotated[list[float], Field(min_length=3, max_length=3)]


class Preprocessing(BaseModel):
    """What is done to a picture. Pixels are scaled to 0..1 before mean and std apply."""

    image_size: int
    mean: _Channels
    std: _Channels
    grey: bool
    resize: str = "bicubic, antialiased, to the whole square without a crop"
    before: str = IN_WORDS


class Manifest(BaseModel):
    """`pack.json`."""

    format: int = 1
    run: str
    cycle: int
    class_names: list[str]
    preprocessing: Preprocessing
    backbone: str
    backbone_sha256: str
    """Of the frozen weights, see `fingerprint`."""
    versions: dict[str, str]
    sha256: dict[str, str]
    """File of the pack -> checksum, for all but this one."""


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
    ready = restorable(config, len(saved.class_names), learned_from_grey(run))
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
            image_size=made.image_size, mean=list(made.mean), std=list(made.std), grey=made.grey
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


def load_pack(path: Path | str, checkpoint: Path | None = None) -> Loaded:
    """The model of a pack, from the pack alone and the backbone that it names.

    Args:
        path: the zip.
        checkpoint: where the backbone's weights are, for a run that took them from a local file.

    Returns:
        model in eval mode on the CPU, (B, 3, S, S) -> logits (B, classes); what makes its input of a picture;
        class names.

    Raises:
        MimiError: the pack is broken or was changed, or its backbone cannot be had here.
    """
    with tempfile.TemporaryDirectory() as folder:
        manifest = _unpack(Path(path), Path(folder))
        config = validate(read_config_file(Path(folder) / files.CONFIG))
        if checkpoint is not None:
            backbone = config.backbone.model_copy(update={"checkpoint": checkpoint})
            config = config.model_copy(update={"backbone": backbone})
        saved = read_saved(Path(folder) / cycle_weights.FILE)
        ready = restorable(config, len(saved.class_names), manifest.preprocessing.grey)
        made = manifest.preprocessing
        if made.image_size != ready.preprocess.image_size:
            raise RunError(
                f"{path}: {made.image_size} pixels in {MANIFEST}, and a model for {ready.preprocess.image_size}; "
                "get the pack anew"
            )
        preprocess = Preprocess(made.image_size, tuple(made.mean), tuple(made.std), made.grey)
        model = ready.fill(saved)
    if fingerprint(model) != manifest.backbone_sha256:
        warnings.warn(
            f"the backbone {config.backbone.name} has other weights here than where the pack was made: "
            "predictions may differ",
            stacklevel=2,
        )
    return Loaded(model, preprocess, saved.class_names)


def fingerprint(model: nn.Module) -> str:
    """SHA-256 of all weights and buffers that do not train, by name."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name not in trained:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _unpack(path: Path, folder: Path) -> Manifest:
    """The files of a pack, and no others, into a folder; each is what the manifest says."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = Manifest.model_validate_json(_text(archive, MANIFEST))
            weights = archive.getinfo(cycle_weights.FILE)
            if weights.compress_type != zipfile.ZIP_STORED:  # so that it is no larger than the zip
                raise ValueError("compressed weights")
            with archive.open(weights) as source, (folder / cycle_weights.FILE).open("wb") as target:
                shutil.copyfileobj(source, target)
            (folder / files.CONFIG).write_bytes(_text(archive, files.CONFIG))
    except FileNotFoundError as error:
        raise RunError(f"{path} not found") from error
    except UNREADABLE as error:
        raise RunError(f"{path} is no adapter pack, or is broken") from error
    for name in (cycle_weights.FILE, files.CONFIG):
        if manifest.sha256.get(name) != _sha256(folder / name):
            raise RunError(f"{path}: {name} is not what the pack was made with; get the pack anew")
    return manifest


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    member = archive.getinfo(name)
    if member.file_size > _MOST_TEXT:
        raise ValueError(f"{name} is too large")
    return archive.read(member)


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
