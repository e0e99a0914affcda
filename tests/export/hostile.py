"""Packs as strangers could make them: a whole one with one thing changed, its checksums made right again."""

import hashlib
import io
import json
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors import safe_open
from safetensors.numpy import save

WEIGHTS, CONFIG, MANIFEST = "adapters.safetensors", "config.yaml", "pack.json"
Parts = dict[str, bytes]


def parts_of(pack: Path) -> Parts:
    with zipfile.ZipFile(pack) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(parts: Parts, target: Path, mended: bool = True) -> Path:
    """`mended`: the manifest tells the checksums of what is there, so that these find nothing."""
    if mended:
        try:
            manifest = json.loads(parts[MANIFEST])
            manifest["sha256"] = {n: hashlib.sha256(c).hexdigest() for n, c in parts.items() if n != MANIFEST}
            parts = {**parts, MANIFEST: json.dumps(manifest).encode()}
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target


def manifest(**changes: Any) -> Callable[[Parts], Parts]:
    return lambda parts: {**parts, MANIFEST: json.dumps({**json.loads(parts[MANIFEST]), **changes}).encode()}


def preprocessing(**changes: Any) -> Callable[[Parts], Parts]:
    def change(parts: Parts) -> Parts:
        told = json.loads(parts[MANIFEST])
        return manifest(preprocessing={**told["preprocessing"], **changes})(parts)

    return change


def without(*keys: str) -> Callable[[Parts], Parts]:
    def change(parts: Parts) -> Parts:
        told = json.loads(parts[MANIFEST])
        return {**parts, MANIFEST: json.dumps({k: v for k, v in told.items() if k not in keys}).encode()}

    return change


def config(**changes: Any) -> Callable[[Parts], Parts]:
    """`section__key=value`."""

    def change(parts: Parts) -> Parts:
        values = yaml.safe_load(parts[CONFIG])
        for path, value in changes.items():
            *sections, key = path.split("__")
            inner = values
            for section in sections:
                inner = inner[section]
            inner[key] = value
        return {**parts, CONFIG: yaml.safe_dump(values).encode()}

    return change


def text(name: str, content: bytes) -> Callable[[Parts], Parts]:
    return lambda parts: {**parts, name: content}


def backbone(name: str, **others: Any) -> Callable[[Parts], Parts]:
    def change(parts: Parts) -> Parts:
        return manifest(backbone=name)(config(backbone__name=name, **others)(parts))

    return change


def weights(change: Callable[[dict[str, np.ndarray], dict[str, str]], object]) -> Callable[[Parts], Parts]:
    """Tensors and metadata, which are changed in place."""

    def changed(parts: Parts) -> Parts:
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            file.write(parts[WEIGHTS])
            file.flush()
            with safe_open(file.name, framework="numpy") as opened:
                metadata = dict(opened.metadata())
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        change(tensors, metadata)
        return {**parts, WEIGHTS: save(tensors, metadata)}

    return changed


def header(change: Callable[[dict[str, Any]], object]) -> Callable[[Parts], Parts]:
    """The header of the weights alone, the numbers after it left as they are."""

    def changed(parts: Parts) -> Parts:
        content = parts[WEIGHTS]
        length = struct.unpack("<Q", content[:8])[0]
        told = json.loads(content[8 : 8 + length])
        change(told)
        new = json.dumps(told).encode()
        return {**parts, WEIGHTS: struct.pack("<Q", len(new)) + new + content[8 + length :]}

    return changed


def _first(tensors: dict[str, np.ndarray]) -> str:
    return next(iter(tensors))


def _all(tensors: dict[str, np.ndarray], change: Callable[[np.ndarray], np.ndarray]) -> None:
    for name, values in list(tensors.items()):
        tensors[name] = np.ascontiguousarray(change(values))


def _of(told: dict[str, Any]) -> dict[str, Any]:
    return next(value for key, value in told.items() if key != "__metadata__")


def _many_names(parts: Parts) -> Parts:
    return parts | {f"more/{number}": b"" for number in range(5_000)}


DEEP_JSON = b'{"format":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
PACKS: dict[str, Callable[[Parts], Parts]] = {
    "deep config": text(CONFIG, b"[" * 20_000),
    "deep mapping": text(CONFIG, b'{"a":' * 20_000),
    "deep dashes": text(CONFIG, b"- " * 10_000),
    "aliases": text(CONFIG, b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
    "empty config": text(CONFIG, b""),
    "config of nothing": text(CONFIG, b"{}\n"),
    "config of a seed": text(CONFIG, b"seed: 1\n"),
    "config without its backbone": text(CONFIG, b"method: mimi\nbackbone: {image_size: 64}\n"),
    "config of bytes": text(CONFIG, bytes(range(256))),
    "config with a foreign key": text(CONFIG, b"method: mimi\nbackbone: {name: demo, pretrained: true}\nevil: 1\n"),
    "config of another method": config(method="lora"),
    "unknown method": config(method="__import__"),
    "rank": config(method="lora", peft__rank=1_000_000),
    "prompts": config(method="vpt_deep", peft__prompts=1_000_000_000),
    "endless cuts": config(prune__rho=1e-9),
    "infinite": config(train__lr=float("inf")),
    "huge image": preprocessing(image_size=1_000_000),
    "huge image in the config": config(backbone__image_size=1_000_000),
    "another size": preprocessing(image_size=32),
    "negative size": preprocessing(image_size=-1),
    "a size in words": preprocessing(image_size="64"),
    "std of zero": preprocessing(std=[0, 0, 0]),
    "std of NaN": preprocessing(std=[float("nan")] * 3),
    "mean of infinity": preprocessing(mean=[float("inf")] * 3),
    "two channels": preprocessing(mean=[0.5, 0.5]),
    "deep manifest": text(MANIFEST, DEEP_JSON),
    "manifest of a list": text(MANIFEST, b"[]"),
    "empty manifest": text(MANIFEST, b""),
    "manifest without classes": without("class_names"),
    "manifest without preprocessing": without("preprocessing"),
    "later format": manifest(format=2),
    "format in words": manifest(format="one"),
    "other classes": manifest(class_names=["a", "b"]),
    "no classes": manifest(class_names=[]),
    "classes of numbers": manifest(class_names=list(range(10))),
    "another cycle": manifest(cycle=7),
    "negative cycle": manifest(cycle=-1),
    "another backbone": manifest(backbone="vit_tiny_patch16_224"),
    "NaN": weights(lambda tensors, _: _all(tensors, lambda v: np.full_like(v, np.nan))),
    "infinity": weights(lambda tensors, _: _all(tensors, lambda v: np.full_like(v, np.inf))),
    "whole numbers": weights(lambda tensors, _: _all(tensors, lambda v: v.astype(np.int32))),
    "doubles": weights(lambda tensors, _: _all(tensors, lambda v: v.astype(np.float64))),
    "bytes for weights": weights(lambda tensors, _: _all(tensors, lambda v: v.astype(np.uint8))),
    "transposed": weights(lambda tensors, _: _all(tensors, lambda v: v.T)),
    "a weight less": weights(lambda tensors, _: tensors.pop(_first(tensors))),
    "a weight more": weights(lambda tensors, _: tensors.update({"model.evil": np.ones(3, np.float32)})),
    "no weights at all": weights(lambda tensors, _: tensors.clear()),
    "no metadata": weights(lambda _, metadata: metadata.clear()),
    "deep metadata": weights(lambda _, metadata: metadata.update(widths="[" * 100_000)),
    "widths of words": weights(lambda _, metadata: metadata.update(widths='{"a": "wide"}')),
    "widths beyond all": weights(lambda _, metadata: metadata.update(widths='{"a": 1' + "0" * 4000 + "}")),
    "negative widths": weights(lambda _, metadata: metadata.update(widths='{"a": -1}')),
    "a million classes": weights(
        lambda _, metadata: metadata.update(class_names=json.dumps([str(n) for n in range(1_000_000)]))
    ),
    "later weights": weights(lambda _, metadata: metadata.update(version="99")),
    "a huge tensor": header(lambda told: _of(told).update(shape=[2**31, 2**31])),
    "offsets beyond the end": header(lambda told: _of(told).update(data_offsets=[0, 2**62])),
    "offsets that overlap": header(lambda told: _of(told).update(data_offsets=[4, 8])),
    "an unknown kind of number": header(lambda told: _of(told).update(dtype="F7")),
    "a header longer than the file": text(WEIGHTS, struct.pack("<Q", 2**63) + b"{}"),
    "a deep header": text(WEIGHTS, struct.pack("<Q", 40_000) + b"[" * 40_000),
    "no safetensors": text(WEIGHTS, b"\x80\x04pickle"),
    "many files": _many_names,
    "a file of the maker": config(backbone__checkpoint="/dev/zero"),
    "an unknown backbone": backbone("no_such_model"),
    "a folder for a backbone": backbone("local-dir:/etc"),
    "a backbone of the hub": backbone("vit_tiny_patch16_224"),
    "a repository of the hub": backbone("hf-hub:evil/model"),
    "the same, otherwise written": backbone("hf_hub:evil/model"),
    "a repository without weights": backbone("hf-hub:evil/model", backbone__pretrained=False),
    "a model of transformers": backbone("hf:microsoft/cvt-13"),
    "another model of transformers": backbone("hf:evil/model"),
    "an enormous backbone": backbone("eva02_enormous_patch14_clip_224", backbone__pretrained=False),
}
"""What -> how a whole pack becomes it."""


def files(folder: Path, pack: Path) -> dict[str, Path]:
    """All of them, and what is no zip of such parts at all."""
    whole = parts_of(pack)
    made = {what: write(change(dict(whole)), folder / f"{n}.zip") for n, (what, change) in enumerate(PACKS.items())}
    content = pack.read_bytes()
    raw = {
        "empty": b"",
        "text": b"no zip",
        "cut off": content[: len(content) // 2],
        "an endless list": content[:-10] + struct.pack("<L", 2**31) + content[-6:],
        "the end alone": b"PK\x05\x06" + bytes(18),
        "the end, in 64 bits": b"PK\x06\x06" + b"\xff" * 52 + b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + b"\xff" * 18,
    }
    for what, bytes_ in raw.items():
        made[what] = folder / f"{what}.zip"
        made[what].write_bytes(bytes_)
    made["no checksums"] = write(without("sha256")(whole), folder / "no checksums.zip", mended=False)
    made["twice the same"] = folder / "twice.zip"
    twice = io.BytesIO(content)
    with zipfile.ZipFile(twice, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(CONFIG, whole[CONFIG])
    made["twice the same"].write_bytes(twice.getvalue())
    made["compressed weights"] = folder / "compressed.zip"
    with zipfile.ZipFile(made["compressed weights"], "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in whole.items():
            archive.writestr(name, part)
    made["a device"] = Path("/dev/zero")
    made["a folder"] = folder
    made["absent"] = folder / "absent.zip"
    return made
