"""What it costs when images do not fit into memory, and how fast they get there when they do.

    python -m benchmarks.streaming [--rounds 15] [--loads 7] [--threads 1 2]

Photographs: crops of the two that come with scikit-learn, as JPEG files of 500 x 375 pixels. All ways take turns within
a round, in random order, so that whatever else the machine does meets them alike; told are medians of the ratios within
a round, with quartiles. Besides the time on the clock that is the time of processors, all threads together, which other
work on the machine hardly changes: where all cores train, it is what decides the speed. On two cores the app's worker
trains with one thread. Writes results/streaming.json.
"""

import argparse
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from mimi_core.adapters.attach import adapters_of
from mimi_core.config import DataConfig, make_config
from mimi_core.data import load
from mimi_core.data.pixels import Pixels, StreamedPixels, resident, streamed
from mimi_core.data.types import FileImages, Split
from mimi_core.runs.recorder import NoRecorder
from mimi_core.scores.watching import Watcher
from mimi_core.train.augment import augment_of_epoch
from mimi_core.train.loop import train_epoch
from mimi_core.train.optim import make_optimizer
from mimi_core.train.progress import Progress, Work
from mimi_core.train.setup import set_up

SIZE, QUALITY = (500, 375), 90
LOADED, EDGE = 1000, 224
EPOCH = 128
"""Images that every way trains on in a round."""
CPU = torch.device("cpu")
MEMORY, KEPT, FIRST, ANEW = "memory", "disk", "disk, first epoch", "decoded in every epoch"
COLD = "disk, nothing cached"
Times = dict[str, list[tuple[float, float]]]
"""Way -> seconds of every round, on the clock and of processors."""
RESULTS = Path(__file__).parent / "results" / "streaming.json"


def make_photos(folder: Path, count: int) -> None:
    """A folder per photograph, with as many crops of it in each."""
    choose = np.random.RandomState(0)
    for name, array in zip(("china", "flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir(parents=True)
        photo = Image.fromarray(array)
        for number in range(count // 2):
            width = choose.randint(360, 560)
            height = width * SIZE[1] // SIZE[0]
            left, top = choose.randint(photo.width - width + 1), choose.randint(photo.height - height + 1)
            crop = photo.crop((left, top, left + width, top + height)).resize(SIZE, Image.Resampling.BICUBIC)
            crop.save(folder / name / f"{number}.jpg", quality=QUALITY)


def timed(ways: dict[str, Callable[[int], object]], rounds: int) -> Times:
    """All ways in every round, in random order. They are called with the round's number."""
    found: Times = {way: [] for way in ways}
    for number in range(rounds):
        for way in random.Random(number).sample(list(ways), len(ways)):
            clock, processors = time.perf_counter(), time.process_time()
            ways[way](number)
            found[way].append((time.perf_counter() - clock, time.process_time() - processors))
    return found


def training(photos: Path, room: Path, rounds: int, threads: Sequence[int]) -> dict[int, Times]:
    """The demo's backbone, adapters and settings, by threads of torch."""
    config = make_config(preset="demo", sets=[f"data=folder:{photos}", "data.shots=null", "train.workers=2"])
    setup = set_up(config, NoRecorder())
    size, split, vision = setup.image_size, setup.dataset.train, setup.vision
    optimizer, watcher = make_optimizer(setup.model, config.train), Watcher(adapters_of(setup.model))
    progress, augment = Progress(NoRecorder(), Work()), augment_of_epoch(setup, 0)

    def train(pixels: Pixels, number: int) -> None:
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(number))[:EPOCH]
        setup.model.train(setup.method.trains_backbone)
        train_epoch(setup.model, pixels, order, optimizer, watcher, vision, config.train, augment, (0, 1), progress)

    kept = streamed(split, size, CPU, 2, room)
    if (setup.train.place, kept.place) != ("memory", "disk"):
        raise SystemExit("this needs room in memory and on a disk: set TMPDIR to a folder of one")
    for _ in kept.batches(None, EPOCH):
        pass
    found = {}
    for count in threads:
        torch.set_num_threads(count)
        train(setup.train, 0)
        ways: dict[str, Callable[[int], object]] = {
            MEMORY: lambda number: train(setup.train, number),
            KEPT: lambda number: train(kept, number),
            COLD: lambda number: train(_forgotten(kept), number),
            FIRST: lambda number: train(streamed(split, size, CPU, 2, room), number),
            ANEW: lambda number: train(streamed(split, size, CPU, 2), number),
        }
        found[count] = timed(ways, rounds)
    return found


def _forgotten(pixels: StreamedPixels) -> StreamedPixels:
    """The same, when the system holds nothing of its file in memory: what a file far larger than memory comes to."""
    assert pixels.spool is not None
    file = pixels.spool._file.fileno()
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    return pixels


def loading(photos: Path, loads: int) -> Times:
    """1,000 images of 224 pixels: decoded into memory as runs do it, and by Pillow alone, as the floor."""
    paths = tuple(sorted(photos.rglob("*.jpg")))[:LOADED]
    split = Split(FileImages(paths, 3), np.zeros(len(paths), dtype=np.int64))

    def plain(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB").resize((EDGE, EDGE), Image.Resampling.BICUBIC))

    def floor(number: int) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(plain, paths))

    ways: dict[str, Callable[[int], object]] = {
        "Pillow alone": floor,
        MEMORY: lambda number: resident(split, EDGE, CPU, 2, lambda done, all_: None),
        "checking that all can be read": lambda number: load(DataConfig(name=f"folder:{photos}")),
    }
    return timed(ways, loads)


def compared(times: Times, to: str, images: int) -> list[dict[str, Any]]:
    """A row for every way: images per second on the clock, and how fast it is beside `to`, by clock and processors."""
    rows = []
    for way, found in times.items():
        shares = np.quantile(np.array(times[to]) / np.array(found), [0.5, 0.25, 0.75], axis=0).round(3).T.tolist()
        speed = round(images / float(np.median([clock for clock, _ in found])), 1)
        rows.append({"way": way, "images_per_second": speed, "by_clock": shares[0], "by_processors": shares[1]})
    return rows


def collect(rounds: int, loads: int, threads: Sequence[int]) -> dict[str, Any]:
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        make_photos(photos, LOADED)
        size = sum(path.stat().st_size for path in photos.rglob("*.jpg")) / LOADED
        trained, loaded = training(photos, Path(folder), rounds, threads), loading(photos, loads)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "load": {"before": round(before, 1), "after": round(os.getloadavg()[0], 1)},
        "files": {"count": LOADED, "pixels": list(SIZE), "bytes": round(size)},
        "rounds": {"training": rounds, "loading": loads},
        "training": {count: compared(times, MEMORY, EPOCH) for count, times in trained.items()},
        "loading": compared(loaded, "Pillow alone", LOADED),
    }


def table(found: dict[str, Any]) -> str:
    lines = [f"{found['hardware']}; load {found['load']['before']} before, {found['load']['after']} after"]
    parts = {f"training, threads: {count}": rows for count, rows in found["training"].items()}
    for title, rows in (parts | {f"loading, {EDGE} px": found["loading"]}).items():
        lines += ["", f"{title:30}  images/s   speed by clock (quartiles)   by processors"]
        for row in rows:
            told = ["{:.3f} ({:.3f} to {:.3f})".format(*row[kind]) for kind in ("by_clock", "by_processors")]
            lines.append(f"{row['way']:30}  {row['images_per_second']:8.0f}   {told[0]}       {told[1]}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    found = collect(**vars(parser.parse_args()))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
