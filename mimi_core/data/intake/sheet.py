"""A contact sheet: samples of a dataset as one picture, a row for each class with its name and its numbers."""

import io

from PIL import Image, ImageDraw, ImageFont

from mimi_core.data.intake.preview import EDGE, Preview

GAP = 6
NAME_WIDTH = 220
LONGEST_NAME = 26
SMOOTH_BELOW = 3
PAPER, INK, MUTED = "#ffffff", "#1b1b1b", "#6b6b6b"


def sheet(preview: Preview) -> Image.Image:
    """The classes that `preview` has samples of; small pictures are enlarged, and pixels of very few stay squares.

    Returns:
        RGB. Letters that Pillow's own typeface lacks are boxes.
    """
    labels = sorted({sample.label for sample in preview.samples})
    rows = [[sample for sample in preview.samples if sample.label == label] for label in labels]
    step = EDGE + GAP
    columns = max((len(row) for row in rows), default=0)
    picture = Image.new("RGB", (NAME_WIDTH + columns * step + GAP, max(1, len(rows)) * step + GAP), PAPER)
    pen = ImageDraw.Draw(picture)
    for y, (label, row) in enumerate(zip(labels, rows, strict=True)):
        middle = GAP + y * step + EDGE // 2
        numbers = " + ".join(f"{counts[label]:,}" for counts in preview.counts.values())
        pen.text((2 * GAP, middle), _short(preview.class_names[label]), INK, ImageFont.load_default(15), anchor="ls")
        pen.text((2 * GAP, middle + 6), numbers, MUTED, ImageFont.load_default(12), anchor="lt")
        for x, sample in enumerate(row):
            image = _enlarged(Image.open(io.BytesIO(sample.png)).convert("RGB"))
            left = NAME_WIDTH + x * step + (EDGE - image.width) // 2
            picture.paste(image, (left, GAP + y * step + (EDGE - image.height) // 2))
    return picture


def _enlarged(image: Image.Image) -> Image.Image:
    times = EDGE / max(image.size)
    smooth = Image.Resampling.BICUBIC if times < SMOOTH_BELOW else Image.Resampling.NEAREST
    return image.resize((round(image.width * times), round(image.height * times)), smooth)


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"
