"""`hf:NAME`: a dataset of the Hugging Face Hub, or one on the disk in a format of the library `datasets`.

`hf:owner/name` lies in the folder of all datasets, where a run puts it. `hf:/a/path`, `hf:~/path` and `hf:./path` are
folders: what `save_to_disk` wrote, or Parquet, Arrow, WebDataset or image files. What a dataset leaves open is said
after a `#`: `hf:uoft-cs/cifar100#label=fine_label`; also `image=COLUMN` and `config=NAME`, separated by commas.

Its splits train, validation and test are used, and no others. One of the latter two that is absent is drawn from the
training images, 15 % of every class by `data.seed`. Classes of which no split has an image do not count. Pictures are
decoded here and not by the library, with the limits that all pictures have; nothing that comes with a dataset is ever
executed.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mimi_core.config import DataConfig
from mimi_core.data.checking import refuse
from mimi_core.data.decode import Content, Decoding, bytes_of, examine, peak_of, read_image, read_thumbnail
from mimi_core.data.levels import chosen
from mimi_core.data.parallel import in_chunks
from mimi_core.data.places import find, root_of
from mimi_core.data.places import missing as missing_from
from mimi_core.data.reading.hf_labels import labels_of, own_numbers
from mimi_core.data.reading.hf_library import library_datasets
from mimi_core.data.source import Source
from mimi_core.data.sources.folder import SPLIT_NAMES, completed
from mimi_core.data.types import Channels, Dataset, InFiles, Progress, Split, decoded_by
from mimi_core.errors import DataError, MimiError, ResourceError

PREFIX = "hf:"
LOOK_BYTES = 256 * 2**20
"""Larger sets are not brought into the library's own format by a mere look, which would take too long."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_SAVED = ("dataset_dict.json", "state.json")
"""What `save_to_disk` leaves at the top of a folder."""


@dataclass(frozen=True)
class Name:
    """`hf:PLACE#config=..,image=..,label=..`, taken apart."""

    place: str
    config: str | None = None
    image: str | None = None
    label: str | None = None

    @property
    def is_folder(self) -> bool:
        return _is_path(self.place)


def _is_path(place: str) -> bool:
    return place.startswith(("/", "~", "."))


def parse_name(name: str) -> Name:
    """Raises a DataError for what is neither a folder nor a name of the Hub, and for unknown words after the `#`."""
    place, _, choices = name.removeprefix(PREFIX).partition("#")
    chosen: dict[str, str] = {}
    for choice in filter(None, choices.split(",")):
        key, _, value = choice.partition("=")
        if key not in ("config", "image", "label") or not value:
            raise DataError(f"{name}: {choice!r} is not known; write config=NAME, image=COLUMN or label=COLUMN")
        chosen[key] = value
    parsed = Name(place, **chosen)
    if not parsed.is_folder and not _HUB_NAME.fullmatch(place):
        raise DataError(f"{name}: write hf:owner/name for a dataset of the Hub, or hf:~/path, hf:./path or hf:/path")
    return parsed


def is_one(folder: Path) -> bool:
    """Whether a folder looks like a dataset of the library rather than like folders of images."""
    try:
        return any((folder / file).is_file() for file in _SAVED) or any(
            next(folder.glob(pattern), None) for pattern in ("*.parquet", "*/*.parquet", "*.arrow", "*.tar")
        )
    except OSError:
        return False


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """Read a dataset, and decode every picture once.

    Raises:
        DataError: it is not there or cannot be read; which columns to use is open; or a picture or a label cannot be
            used, unless `config.skip_bad`. `datasets` is not installed.
        ResourceError: memory or disk do not suffice.
    """
    return _dataset(config, True, on_progress)


def scan(config: DataConfig, seconds: float) -> Dataset:
    """The same, but no picture is decoded. Raises a DataError also where that would take long."""
    return _dataset(config, False, None)


def missing(config: DataConfig) -> str | None:
    """What is missing, and how to get it; None where its files are there."""
    name = parse_name(config.name)
    if not name.is_folder:
        return missing_from(config, (kept_at(name),), _how(config))
    try:
        _folder(config)
    except DataError as error:
        return str(error)
    return None


def kept_at(name: Name) -> str:
    """Where a dataset of the Hub lies below the folder of all datasets."""
    return f"hf/{name.place.replace('/', '--')}"


def kept(root: Path) -> list[str]:
    """The names of the Hub's datasets that are below a folder of all datasets."""
    try:
        return sorted(
            f"{PREFIX}{path.name.replace('--', '/')}"
            for path in (root / "hf").iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )
    except OSError:
        return []


def stamp(config: DataConfig) -> tuple[int, ...]:
    """Something cheap that changes when the files do. Empty without any."""
    try:
        folder = _folder(config)
        return tuple(path.stat().st_mtime_ns for path in (folder, *sorted(folder.iterdir())))
    except (OSError, DataError):
        return ()


def _how(config: DataConfig) -> str:
    name = parse_name(config.name)
    place = root_of(config) / kept_at(name)
    nearby = f"; or did you mean {PREFIX}./{name.place}?" if Path(name.place).is_dir() else ""
    return (
        "A run downloads it from https://huggingface.co/datasets, where the network allows; or get it by "
        f"hf download --repo-type dataset {name.place} --local-dir {place}{nearby}"
    )


def _folder(config: DataConfig) -> Path:
    name = parse_name(config.name)
    if not name.is_folder:
        return find(config, (kept_at(name),), _how(config))
    folder = Path(os.path.expanduser(name.place)).absolute()
    if not folder.is_dir():
        raise DataError(f"{config.name}: {folder} is no folder")
    return folder


# --- the library ------------------------------------------------------------------------------------------------------


def _tables(config: DataConfig, patient: bool) -> dict[str, Any]:
    """Split -> `datasets.Dataset`, of all splits that there are.

    Args:
        patient: also where it takes long.
    """
    folder, chosen = _folder(config), parse_name(config.name).config
    library = library_datasets()
    try:
        if any((folder / file).is_file() for file in _SAVED):
            tables = library.load_from_disk(str(folder))
        else:
            builder = library.load_dataset_builder(str(folder), chosen)
            groups = {
                split: [str(file) for file in group] for split, group in (builder.config.data_files or {}).items()
            }
            files = [file for group in groups.values() for file in group]
            _refuse_elsewhere(config, folder, files)
            if not patient and not os.path.exists(builder.cache_dir) and _bytes(files) > LOOK_BYTES:
                raise DataError(
                    f"{config.name}: too large for a first look; a run reads it once before it starts, and so does "
                    f"python -m mimi_core data check {config.name}"
                )
            builder.download_and_prepare()
            tables = own_numbers(config.name, builder.as_dataset(), groups)
    except MimiError:
        raise
    except MemoryError as error:
        raise ResourceError(f"{config.name}: not enough memory to read it") from error
    except Exception as error:  # it passes on what its many readers raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        hint = "; choose one by #config=NAME" if "Config name is missing" in reason else ""
        raise DataError(f"{config.name}: the library datasets cannot read {folder} ({reason}){hint}") from error
    return dict(tables) if isinstance(tables, dict) else {"train": tables}


def _refuse_elsewhere(config: DataConfig, folder: Path, files: Sequence[str]) -> None:
    """A README may name any file and any address."""
    for file in files:
        path = Path(os.path.normpath(file))
        if "://" in file or not (path.is_relative_to(folder) or path.is_relative_to(folder.resolve())):
            raise DataError(
                f"{config.name}: its README.md names {file[:200]}, which is outside of {folder}; remove that"
            )


def _bytes(files: Sequence[str]) -> int:
    return sum(os.stat(file).st_size for file in files)


# --- pictures and labels ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TableImages(InFiles):
    """Pictures in a column of a table.

    Args:
        table: a `datasets.Dataset` with that column only, undecoded.
        rows: (k,) which rows of it these pictures are.
        source: what `describe` calls the table.
    """

    table: Any
    column: str
    rows: np.ndarray
    source: str
    channels: Channels = 3

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Image.Image:
        picture = read_image(self._file(index), decoding=self.decoding)
        return picture.convert("L" if self.channels == 1 else "RGB")

    def examine(self, index: int) -> tuple[str, int | None]:
        """As `decode.examine`."""
        return examine(self._file(index), self.decoding)

    def thumbnail(self, index: int, edge: int) -> tuple[Image.Image, tuple[int, int]]:
        return read_thumbnail(self._file(index), edge, self.decoding)

    def peak(self, index: int) -> int | None:
        return peak_of(self._file(index), self.decoding)

    def content(self, index: int) -> bytes:
        return bytes_of(self._file(index))

    def take(self, indices: np.ndarray) -> "TableImages":
        return replace(self, rows=self.rows[indices])

    def describe(self, index: int) -> str:
        return f"{self.source} row {int(self.rows[index])}"

    def _file(self, index: int) -> Path | Content:
        value = self.table[int(self.rows[index])][self.column] or {}
        content, path = value.get("bytes"), value.get("path")
        if content is not None:
            return Content(content, self.describe(index))
        if path:
            return Path(path)
        raise DataError(f"{self.describe(index)}: there is no picture")


def _dataset(config: DataConfig, decode: bool, on_progress: Progress | None) -> Dataset:
    tables = _by_use(config, _tables(config, patient=decode))
    image, label = _columns(config, tables)
    class_names, labels = labels_of(config.name, tables, label)
    images = {split: _images(config, table, image, split) for split, table in tables.items()}
    faults = {
        (split, row): f"{images[split].describe(row)}: its {label} is missing"
        for split, numbers in labels.items()
        for row in np.flatnonzero(numbers < 0).tolist()
    }
    peaks: Mapping[tuple[str, int], int] = {}
    if decode:
        candidates = [
            (split, row) for split in images for row in range(len(images[split])) if (split, row) not in faults
        ]
        grey, unreadable, peaks = _decoded(images, candidates, on_progress)
        faults |= unreadable
        images = {split: replace(own, channels=1 if grey else 3) for split, own in images.items()}
    refuse(list(faults.values()), config.skip_bad)

    splits: dict[str, Split] = {}
    for split, own in images.items():
        good = np.array([row for row in range(len(own)) if (split, row) not in faults], dtype=np.int64)
        if len(good):
            splits[split] = Split(own.take(good), labels[split][good])
    if "train" not in splits:
        raise DataError(
            f"{config.name}: not one training image can be used; the first: {next(iter(faults.values()), '')}"
        )
    origin = {name: split for split, own in images.items() for name in [own.source]}
    splits = completed(splits, config.seed, class_names)

    def peaks_in(part: Split) -> list[int]:
        own = part.images
        assert isinstance(own, TableImages)
        return [peaks[at] for row in own.rows.tolist() if (at := (origin[own.source], row)) in peaks]

    levels, remarks = chosen(
        config.range, peaks_in(splits["train"]), peaks_in(splits["val"]) + peaks_in(splits["test"])
    )
    how = Decoding(levels, config.max_pixels)
    train, val, test = (decoded_by(splits[split], how) for split in ("train", "val", "test"))
    left_out, told = tuple(faults.values()), tuple(remarks)
    return Dataset(config.name, class_names, train, val, test, left_out, decoding=how, remarks=told)


def _by_use(config: DataConfig, tables: Mapping[str, Any]) -> dict[str, Any]:
    """ "train", "val" and "test", where they are there. A table that is alone is for training, whatever its name."""
    by_use: dict[str, Any] = {}
    for name, table in tables.items():
        split = "train" if len(tables) == 1 else SPLIT_NAMES.get(name.lower())
        if split in by_use:
            raise DataError(f"{config.name}: has two splits for the same use, {', '.join(tables)}; remove one")
        if split is not None and len(table):
            by_use[split] = table
    if "train" not in by_use:
        raise DataError(f"{config.name}: has no split train with images in it, only: {', '.join(tables)}")
    return {split: by_use[split] for split in ("train", "val", "test") if split in by_use}


def _columns(config: DataConfig, tables: Mapping[str, Any]) -> tuple[str, str]:
    """The columns of pictures and of classes.

    Raises:
        DataError: there is none, or more than one and nobody said which; the message names them.
    """
    library, name = library_datasets(), parse_name(config.name)
    wanted = {"image": (name.image, library.Image, "pictures"), "label": (name.label, library.ClassLabel, "classes")}
    features = tables["train"].features
    chosen = []
    for key, (asked, kind, what) in wanted.items():
        fitting = [column for column, feature in features.items() if isinstance(feature, kind)]
        if asked is None and len(fitting) != 1:
            said = f"several columns of {what}: {', '.join(fitting)}" if fitting else f"no column known to be {what}"
            among = fitting or features
            raise DataError(f"{config.name}: has {said}; name one by #{key}=COLUMN, of: {', '.join(among)}")
        column = asked or fitting[0]
        for split, table in tables.items():
            if column not in table.features:
                there = ", ".join(table.features)
                raise DataError(f"{config.name}: its split {split} has no column {column!r}; it has: {there}")
        chosen.append(column)
    return chosen[0], chosen[1]


def _images(config: DataConfig, table: Any, column: str, split: str) -> TableImages:
    undecoded = table.select_columns([column]).with_format(None)
    try:
        undecoded = undecoded.cast_column(column, library_datasets().Image(decode=False))
    except Exception as error:  # pyarrow's and the library's own
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{config.name}: the column {column} holds no pictures ({reason}); choose another") from error
    how = Decoding(max_pixels=config.max_pixels)
    return TableImages(undecoded, column, np.arange(len(table)), f"{config.name} {split}", decoding=how)


def _decoded(
    images: Mapping[str, TableImages], candidates: Sequence[tuple[str, int]], on_progress: Progress | None
) -> tuple[bool, dict[tuple[str, int], str], dict[tuple[str, int], int]]:
    """Whether all are grey, the reason for each that cannot be read, and the largest value in each of 16 bits."""

    def look(at: tuple[str, int]) -> tuple[tuple[str, int], str, int | None, str]:
        split, row = at
        try:
            return at, *images[split].examine(row), ""
        except DataError as error:
            return at, "", None, str(error)

    looks = [one for chunk in in_chunks(look, candidates, os.cpu_count() or 1, on_progress) for one in chunk]
    unreadable = {at: fault for at, _, _, fault in looks if fault}
    peaks = {at: peak for at, _, peak, _ in looks if peak is not None}
    return all(mode != "RGB" for _, mode, _, _ in looks), unreadable, peaks


SOURCES = (
    Source(
        PREFIX,
        "a dataset of the Hugging Face Hub, or a folder that its library datasets reads",
        load,
        scan,
        missing,
        placeholder="NAME",
        is_path=_is_path,
        kept=True,
        kept_in=kept,
        stamp=stamp,
        order=310,
    ),
)
