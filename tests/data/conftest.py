"""Writers of real files: images in any mode and format, trees of them, Fashion-MNIST's IDX files."""

import gzip
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.data.noise import CLASSES, png


def write_image(
    path: Path, mode: str = "RGB", size: tuple[int, int] = (12, 10), seed: int = 0, **options: object
) -> Path:
    """A picture of noise; `options` go to Pillow's save."""
    pixels = np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def write_tree(root: Path, counts: dict[str, int], mode: str = "RGB") -> Path:
    """`counts` maps a class folder below `root` to how many images it gets, all different."""
    for number, (folder, count) in enumerate(counts.items()):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            write_image(root / folder / f"{index:03}.png", mode, seed=1000 * number + index)
    return root


def idx_bytes(array: np.ndarray) -> bytes:
    """The original files' format: magic number, big-endian sizes, bytes."""
    header = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, train: int = 240, test: int = 40, gz: bool = True) -> Path:
    """Four files like Fashion-MNIST's, with few images; every class equally often."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, count in (("train", train), ("t10k", test)):
        images = np.random.RandomState(count).randint(0, 256, (count, 28, 28))
        for kind, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", np.arange(count) % 10)):
            path = folder / f"{stem}-{kind}{'.gz' if gz else ''}"
            path.write_bytes(gzip.compress(idx_bytes(array), mtime=0) if gz else idx_bytes(array))
    return folder


@pytest.fixture
def image() -> Callable[..., Path]:
    return write_image


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """`tree({"cat": 3, "dog": 2})` -> a folder with these class folders and images."""
    return lambda counts, mode="RGB": write_tree(tmp_path / "pictures", counts, mode)


@pytest.fixture
def idx() -> Callable[..., Path]:
    return write_idx


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real one, with a cache of its own, and no way to the network."""
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("reaches for the network"))
        datasets.disable_progress_bars()
        yield datasets


@pytest.fixture(scope="module")
def table(library: Any) -> Callable[..., Any]:
    """A `datasets.Dataset` of noise, the classes in turn."""

    def make(
        images: int | Sequence[bytes] = 9, first: int = 0, names: Sequence[str] = CLASSES, **columns: object
    ) -> Any:
        files = [png(first + n) for n in range(images)] if isinstance(images, int) else list(images)
        features = {"image": library.Image(), "label": library.ClassLabel(names=list(names))}
        rows = {"image": [{"bytes": file, "path": None} for file in files]}
        rows["label"] = columns.pop("label", [n % 3 for n in range(len(files))])
        made = library.Dataset.from_dict(rows, features=library.Features(features))
        for column, values in columns.items():
            made = made.add_column(column, values)
        return made

    return make


@pytest.fixture(scope="module")
def saved(library: Any, table: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 images to train and 6 to test, in each format."""
    root = tmp_path_factory.mktemp("sets")
    both = library.DatasetDict({"train": table(18), "test": table(6, first=100)})
    both.save_to_disk(root / "saved")
    both["train"].save_to_disk(root / "alone")
    (root / "parquet/data").mkdir(parents=True)
    for split, own in both.items():
        own.to_parquet(root / "parquet/data" / f"{split}-00000-of-00001.parquet")
        for n, row in enumerate(own.cast_column("image", library.Image(decode=False))):
            file = root / "images" / split / CLASSES[row["label"]] / f"{n:02}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(row["image"]["bytes"])
    return root
