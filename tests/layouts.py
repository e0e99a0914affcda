"""Writers of small datasets in the formats in which the real ones are distributed, with what is odd about these."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from mimi_core.data.names import DTD, EUROSAT, PETS
from mimi_core.data.sources.vtab import TASKS


def write_jpeg(path: Path, seed: int, size: tuple[int, int] = (12, 10), label: int = 0) -> Path:
    """Noise around a colour that tells the label."""
    random = np.random.RandomState(seed)
    colour = np.random.RandomState(label).randint(40, 216, 3)
    pixels = np.clip(colour + random.randint(-40, 40, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90)
    return path


# --- lists of images --------------------------------------------------------------------------------------------------


def write_vtab(root: Path, task: str, train: int = 24, val: int = 12, test: int = 12, images: bool = True) -> Path:
    """`vtab-1k/TASK`: labels go round, so that no split needs to have all classes, as with the real ones.

    The images of train800val200 are files of their own, numbered anew: other copies of the same pictures.
    """
    folder, classes = root / "vtab-1k" / task, len(TASKS[task].class_names)
    for split, first, count in (
        ("train800", 0, train),
        ("val200", train, val),
        ("train800val200", 0, train + val),
        ("test", 10_000, test),
    ):
        lines = []
        for index in range(count):
            label, name = (first + index) % classes, f"images/{split}/{index:06d}.jpg"
            if images:
                write_jpeg(folder / name, first + index, label=label)
            lines.append(f"{name} {label}\n")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{split}.txt").write_text("".join(lines))
    return folder


DOMAINNET = {0: "aircraft_carrier", 1: "airplane", 326: "syringe", 327: "t-shirt", 328: "table", 344: "zigzag"}
"""Some of the 345 classes."""


def write_domainnet(root: Path, domain: str, train: int = 10, test: int = 2) -> Path:
    """Two lists and a folder. As in the real lists, painting has no training image of class 327, but test images."""
    folder = root / "domainnet"
    for split, count in (("train", train), ("test", test)):
        lines = []
        for label, name in DOMAINNET.items():
            for index in range(count):
                file = f"{domain}/{name}/{domain}_{label + 1:03d}_{index + 100 * (split == 'test'):06d}.jpg"
                write_jpeg(folder / file, 1000 * label + index, label=label)
                if (domain, split, label) != ("painting", "train", 327):
                    lines.append(f"{file} {label}\n")
        (folder / f"{domain}_{split}.txt").write_text("".join(lines))
    return folder


# --- torchvision's sets -----------------------------------------------------------------------------------------------


def write_cifar10(root: Path, each: int = 4, fortran: bool = False) -> Path:
    """Five training files and one for tests, of `each` pictures, as Python 2 pickled them."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    for number, file in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        pixels, labels = _cifar_pixels(number, each), [(each * number + i) % 10 for i in range(each)]
        content = {"batch_label": file, "labels": labels, "data": pixels, "filenames": ["x.png"] * each}
        (folder / file).write_bytes(python2_pickle(content, fortran))
    meta = {"num_cases_per_batch": each, "label_names": names, "num_vis": 3072}
    (folder / "batches.meta").write_bytes(python2_pickle(meta))
    return folder


def write_cifar100(root: Path, train: int = 200, test: int = 100) -> Path:
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    for file, count in (("train", train), ("test", test)):
        fine = [i % 100 for i in range(count)]
        content = {"fine_labels": fine, "coarse_labels": [i // 5 for i in fine], "data": _cifar_pixels(count, count)}
        (folder / file).write_bytes(python2_pickle(content))
    meta = {"fine_label_names": [f"fine {i}" for i in range(100)], "coarse_label_names": ["coarse"] * 20}
    (folder / "meta").write_bytes(python2_pickle(meta))
    return folder


def _cifar_pixels(seed: int, count: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (count, 3072)).astype(np.uint8)


def python2_pickle(content: Mapping[str, object], fortran: bool = False) -> bytes:
    """What Python 2's cPickle writes at protocol 2: its strings are bytes, which Python 3 never writes so.

    Args:
        fortran: arrays are laid out column by column, as those of a transposed matrix are.
    """

    def value(item: object) -> bytes:
        if isinstance(item, str):
            return string(item.encode("latin1"))
        if isinstance(item, int):
            return b"J" + struct.pack("<i", item)
        if isinstance(item, list):
            return b"](" + b"".join(map(value, item)) + b"e"
        assert isinstance(item, np.ndarray)
        made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        shape = b"(" + b"".join(map(value, item.shape)) + b"t"
        raw = item.tobytes("F" if fortran else "C")
        return made + b"(K\x01" + shape + kind + (b"\x88" if fortran else b"\x89") + string(raw) + b"tb"

    def string(raw: bytes) -> bytes:
        return (b"U" + bytes([len(raw)]) if len(raw) < 256 else b"T" + struct.pack("<i", len(raw))) + raw

    pairs = b"".join(string(key.encode()) + value(item) for key, item in content.items())
    return b"\x80\x02}(" + pairs + b"u."


def write_svhn(root: Path, train: int = 20, test: int = 10) -> Path:
    """The digit 0 is called 10 in the real files, and pictures lie along the last axis."""
    root.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("test", test)):
        pixels = np.random.RandomState(count).randint(0, 256, (32, 32, 3, count)).astype(np.uint8)
        labels = np.array([[index % 10 or 10] for index in range(count)], dtype=np.uint8)
        savemat(root / f"{split}_32x32.mat", {"X": pixels, "y": labels})
    return root


def write_flowers102(root: Path, images: int = 12, ids: Sequence[Sequence[int]] | None = None) -> Path:
    """Numbers of images begin with 1, classes too, and the splits are lists of numbers in no order."""
    folder = root / "flowers-102"
    for number in range(1, images + 1):
        write_jpeg(folder / "jpg" / f"image_{number:05d}.jpg", number)
    trnid, valid, tstid = ids or ([5, 1, 9], [2, 6, 10], [12, 11, 8, 7, 4, 3])
    savemat(folder / "imagelabels.mat", {"labels": np.array([[102 - n for n in range(images)]], dtype=np.uint8)})
    savemat(
        folder / "setid.mat",
        {k: np.array([v], np.uint16) for k, v in zip(("trnid", "valid", "tstid"), (trnid, valid, tstid), strict=True)},
    )
    return folder


def write_pets(root: Path, each: int = 2) -> Path:
    """Lines `Abyssinian_100 1 1 1`: image, class from 1, species, breed."""
    folder = root / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    for split, first in (("trainval", 0), ("test", each)):
        lines = []
        for label, name in enumerate(PETS, start=1):
            for number in range(first, first + each):
                write_jpeg(folder / "images" / f"{name}_{number}.jpg", 100 * label + number)
                lines.append(f"{name}_{number} {label} {1 + (not name[0].isupper())} 1\n")
        (folder / "annotations" / f"{split}.txt").write_text("".join(lines))
    return folder


def write_dtd(root: Path, classes: Sequence[str] = DTD[:3]) -> Path:
    folder = root / "dtd" / "dtd"
    (folder / "labels").mkdir(parents=True)
    for number, split in enumerate(("train", "val", "test")):
        names = [f"{name}/{name}_{number:04d}.jpg" for name in classes]
        for seed, name in enumerate(names):
            write_jpeg(folder / "images" / name, 10 * number + seed)
        (folder / "labels" / f"{split}1.txt").write_text("".join(f"{name}\n" for name in names))
    return folder


def write_eurosat(root: Path, each: int = 6) -> Path:
    folder = root / "eurosat" / "2750"
    for label, name in enumerate(EUROSAT):
        for number in range(1, each + 1):
            write_jpeg(folder / name / f"{name}_{number}.jpg", 100 * label + number)
    return folder


def write_food101(root: Path, train: int = 10, test: int = 2) -> Path:
    """Images without their ending in the lists, which are there as text and as JSON."""
    folder = root / "food-101"
    (folder / "meta").mkdir(parents=True)
    for split, first, count in (("train", 0, train), ("test", train, test)):
        named = {
            dish: [f"{dish}/{1000 + number}" for number in range(first, first + count)]
            for dish in ("apple_pie", "waffles")
        }
        lines = [name for images in named.values() for name in images]
        for seed, name in enumerate(lines):
            write_jpeg(folder / "images" / f"{name}.jpg", 100 * first + seed)
        (folder / "meta" / f"{split}.txt").write_text("\n".join(lines))  # no end of the last line, as in the real one
        (folder / "meta" / f"{split}.json").write_text(json.dumps(named))
    return folder
