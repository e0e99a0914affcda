"""What is in the zip of a pack, which may come from anybody: bounded, checked, and all of one piece; no torch in it."""

import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mimi_core.config import RunConfig, validate
from mimi_core.config.text import read_config_text
from mimi_core.data.decode import in_words
from mimi_core.data.levels import FULL
from mimi_core.errors import ExportError, MimiError
from mimi_core.reading import open_regular
from mimi_core.runs import files
from mimi_core.runs.formats import cycle_weights, versions
from mimi_core.runs.formats.npz import UNREADABLE

MANIFEST = "pack.json"
VERSION = 1
"""Of the format."""
LARGEST_TEXT = 10 * 2**20
_LARGEST_LIST = 100_000
"""Bytes of the zip's list of files; four have about 300."""
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_TAIL = 2**16 + 200
"""The end of a zip, in which the record lies that says where the list is."""
MOST_CLASSES = 100_000
_Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
_Level = Annotated[int, Field(ge=FULL.black, le=FULL.white)]
_Positive = Annotated[float, Field(allow_inf_nan=False, ge=1e-6, le=1e6)]


class Preprocessing(BaseModel):
    """What is done to a picture. Pixels are scaled to 0..1 before mean and std apply."""

    model_config = ConfigDict(strict=True)

    image_size: Annotated[int, Field(ge=1, le=4096)]
    mean: Annotated[list[_Number], Field(min_length=3, max_length=3)]
    std: Annotated[list[_Positive], Field(min_length=3, max_length=3)]
    grey: bool
    resize: str = "bicubic, antialiased, to the whole square without a crop"
    before: str = in_words()
    levels: Annotated[list[_Level], Field(min_length=2, max_length=2)] = [FULL.black, FULL.white]
    """What of 16-bit pictures becomes black, and what white."""

    @model_validator(mode="after")
    def _black_is_darker(self) -> Self:
        if self.levels[0] >= self.levels[1]:
            raise ValueError("levels: black is not below white")
        return self


class Manifest(BaseModel):
    """`pack.json`."""

    model_config = ConfigDict(strict=True)

    format: Literal[1] = 1
    run: str
    cycle: Annotated[int, Field(ge=0)]
    class_names: Annotated[list[str], Field(min_length=1, max_length=MOST_CLASSES)]
    preprocessing: Preprocessing
    backbone: str
    backbone_sha256: str
    """Of the frozen weights, see `pack.fingerprint`."""
    versions: dict[str, str]
    sha256: dict[str, str]
    """File of the pack -> checksum, for all but this one."""


class Contents(NamedTuple):
    manifest: Manifest
    config: RunConfig


def unpack(path: Path, folder: Path) -> Contents:
    """Put a pack's weights into a folder, as in a run's, and say what it is of.

    Raises:
        ExportError: it is no pack, is broken, was changed, or its parts do not go together.
    """
    try:
        with open_regular(path) as file:
            _refuse_long_list(file)
            with zipfile.ZipFile(file) as archive:
                manifest = _manifest(path, _text(archive, MANIFEST))
                text = _text(archive, files.CONFIG)
                weights = _only(archive, cycle_weights.FILE)
                if weights.compress_type != zipfile.ZIP_STORED:  # so that it is no larger than the zip
                    raise ValueError("compressed weights")
                checksum = _copied(archive, weights, folder / cycle_weights.FILE)
    except FileNotFoundError as error:
        raise ExportError(f"{path} not found") from error
    except MimiError:
        raise
    except (*UNREADABLE, struct.error) as error:
        raise ExportError(f"{path} is no adapter pack, or is broken ({_in_words(error)})") from error
    sums = {files.CONFIG: hashlib.sha256(text).hexdigest(), cycle_weights.FILE: checksum}
    for name, one in sums.items():
        if manifest.sha256.get(name) != one:
            raise ExportError(f"{path}: {name} is not what the pack was made with; get the pack anew")
    config = _config(path, text)
    if config.backbone.name != manifest.backbone:
        raise ExportError(f"{path}: {MANIFEST} and {files.CONFIG} name different backbones; get the pack anew")
    return Contents(manifest, config)


def _refuse_long_list(file: BinaryIO) -> None:
    """zipfile reads the whole list of a zip into memory, however long it says that it is."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    end = tail.rfind(_END)
    if end < 0:
        raise zipfile.BadZipFile("it is no zip")
    length = struct.unpack_from("<L", tail, end + 12)[0]
    if tail[max(0, end - 20) : end].startswith(_LOCATOR64):
        length = struct.unpack_from("<Q", tail, tail.rindex(_END64, 0, end) + 40)[0]
    if length > _LARGEST_LIST:
        raise zipfile.BadZipFile("it holds more files than a pack does")


def _only(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if member.filename == name]
    if len(members) != 1:
        raise ValueError(f"it has {len(members) or 'no'} {name}")
    return members[0]


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    member = _only(archive, name)
    if member.file_size > LARGEST_TEXT:
        raise ValueError(f"{name} is too large")
    return archive.read(member)


def _copied(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Write a member to a file of its own; its checksum."""
    digest = hashlib.sha256()
    with archive.open(member) as source, target.open("wb") as file:
        while block := source.read(2**20):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ExportError(f"{path} is no adapter pack, or is broken ({MANIFEST} is too deeply nested)") from error
    if isinstance(values, dict):
        versions.refuse_newer(values.get("format"), VERSION, "it")
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ExportError(f"{path} is no adapter pack, or is broken ({MANIFEST}: {place}: {first['msg']})") from error


def _config(path: Path, text: bytes) -> RunConfig:
    """A whole one: a pack without a backbone must not become one of the default backbone."""
    try:
        values = read_config_text(text.decode())
        backbone = values.get("backbone")
        if "method" not in values or not isinstance(backbone, dict) or not {"name", "pretrained"} <= backbone.keys():
            raise ExportError(f"{path} holds no config of a run: it does not say which method on which backbone")
        return validate(values)
    except ExportError:
        raise
    except (MimiError, UnicodeDecodeError, RecursionError) as error:
        raise ExportError(f"{path} holds no config of a run: {_in_words(error)[:500]}") from error


def _in_words(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
