"""Pre-trains the bundled demo backbone: a small Swin on Fashion-MNIST.

    python -m mimi_core.train.pretrain_demo [--epochs 10] [--seed 0] [--classes "Trouser|Pullover|.."] [--out FILE]

Clothes are drawn in random colours, sizes, angles and polarities, half of them as outlines only, so that the features
follow shape and not texture. The digits of the demo are never seen. Takes about 20 minutes on two CPU cores with bf16.
Deterministic for one seed on one kind of machine; another number of threads changes the last digits.
"""

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before timm)
from mimi_core.backbones.loading import DEMO_IMAGE_SIZE, demo_swin
from mimi_core.data.reading.idx import read_split
from mimi_core.data.sources.fashion_mnist import CLASS_NAMES, DEBIAN_FOLDER, HOW
from mimi_core.resources import DEMO_BACKBONE
from mimi_core.rounding import percent


def outlines(images: Tensor) -> Tensor:
    """Edges of the images: local maximum minus local minimum over 3x3. (B, 1, H, W) in 0..1 -> the same."""
    return F.max_pool2d(images, 3, 1, 1) + F.max_pool2d(-images, 3, 1, 1)


def augment(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Random affine view in random colours.

    Args:
        images: (B, 28, 28) uint8 grey.
        size: edge of the result in pixels.

    Returns:
        (B, 3, size, size) float32 in 0..1.
    """
    count = len(images)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    grey = images[:, None].float() / 255
    drawn_as_outline = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    grey = torch.where(drawn_as_outline, outlines(grey), grey)

    angle, shear = uniform(-0.5, 0.5), uniform(-0.3, 0.3)
    zoom_x, zoom_y = uniform(0.8, 1.5), uniform(0.8, 1.5)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * zoom_x, -sin * zoom_x + shear, uniform(-0.25, 0.25), sin * zoom_y, cos * zoom_y, uniform(-0.25, 0.25)]
    grid = F.affine_grid(torch.stack(rows, 1).view(count, 2, 3), [count, 1, size, size], align_corners=False)
    grey = F.grid_sample(grey, grid, align_corners=False)

    ink, paper = uniform(0, 1, 3, 1, 1), uniform(0, 1, 3, 1, 1)
    plain = torch.rand(count, 1, 1, 1, generator=generator) < 0.5  # black and white, either polarity
    black = (torch.rand(count, 1, 1, 1, generator=generator) < 0.5).float().expand_as(ink)
    ink, paper = torch.where(plain, black, ink), torch.where(plain, 1 - black, paper)
    return paper + (ink - paper) * grey


def digit_accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Accuracy on plain, upright white-on-black images."""
    model.eval()
    correct = 0
    with torch.inference_mode():
        for batch, target in zip(images.split(500), labels.split(500), strict=True):
            grey = F.interpolate(batch[:, None].float() / 255, size=DEMO_IMAGE_SIZE, mode="bilinear")
            correct += int((model((grey.expand(-1, 3, -1, -1) - 0.5) / 0.5).argmax(1) == target).sum())
    return correct / len(labels)


def pretrain(
    epochs: int,
    folder: Path,
    seed: int = 0,
    classes: Sequence[int] = range(len(CLASS_NAMES)),
    batch_size: int = 128,
    lr: float = 1e-3,
) -> tuple[nn.Module, float]:
    """Train from scratch; returns the model and its accuracy on the untouched test images.

    Args:
        classes: numbers of those it sees; images of the others are not looked at.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    images, labels = read_classes(folder, "train", classes)
    test_images, test_labels = read_classes(folder, "test", classes)
    model = demo_swin(num_classes=len(classes), drop_path_rate=0.05)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05)
    steps_per_epoch = len(images) // batch_size
    total, warmup = epochs * steps_per_epoch, steps_per_epoch // 2
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warmup, 0.5 * (1 + math.cos(math.pi * s / total)))
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    started = time.monotonic()
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(images), generator=generator)
        running = 0.0
        for step in range(steps_per_epoch):
            chosen = order[step * batch_size : (step + 1) * batch_size]
            batch = ((augment(images[chosen], DEMO_IMAGE_SIZE, generator) - 0.5) / 0.5).to(device)
            with torch.autocast(device.type, torch.bfloat16):
                loss = F.cross_entropy(model(batch), labels[chosen].to(device), label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            running += loss.item()
            if (step + 1) % 50 == 0:
                done = (epoch * steps_per_epoch + step + 1) / total
                left = (time.monotonic() - started) * (1 - done) / done
                told = f"epoch {epoch + 1}/{epochs}  loss {running / (step + 1):.3f}  {percent(done, 0)}  "
                told += f"{left / 60:.1f} min left"
                print(f"\r{told}", end="", flush=True)
        print()
    model.cpu()
    return model, digit_accuracy(model, test_images, test_labels)


def read_classes(folder: Path, split: str, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(n, 28, 28) uint8 images and their (n,) int64 labels, counted within `classes`."""
    images, labels = read_split(folder, split, HOW)
    of = np.full(len(CLASS_NAMES), -1)
    of[list(classes)] = range(len(classes))
    stay = of[labels] >= 0
    return torch.from_numpy(images[stay].copy()), torch.from_numpy(of[labels[stay]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", default="|".join(CLASS_NAMES), help="names of those it sees, with a | between")
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, help="folder with the four IDX files")
    parser.add_argument("--out", type=Path, default=DEMO_BACKBONE)
    options = parser.parse_args()
    classes = [CLASS_NAMES.index(name.strip()) for name in options.classes.split("|")]
    model, accuracy = pretrain(options.epochs, options.data, options.seed, classes)
    weights = {k: v.half().contiguous() for k, v in model.state_dict().items() if not k.startswith("head.fc")}
    facts = {"data": "fashion-mnist train", "epochs": str(options.epochs), "seed": str(options.seed)}
    facts |= {"classes": "|".join(CLASS_NAMES[i] for i in classes)} if len(classes) < len(CLASS_NAMES) else {}
    save_file(weights, options.out, metadata={**facts, "fashion_mnist_test_accuracy": f"{accuracy:.4f}"})
    print(f"test accuracy {accuracy:.4f}, saved {options.out}")


if __name__ == "__main__":
    main()
