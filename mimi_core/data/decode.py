"""One image file to one upright picture in mode L or RGB, or one clear error.

Converted faithfully: 16-bit grey (to 8 bits), palette and CMYK (to RGB), transparency (laid on white), EXIF rotation
(applied). Refused, because they hold no picture or are dangerous to open: broken and truncated files, pixels without
a known range, pictures thinner than two pixels, decompression bombs.
"""

import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, features

from mimi_core.errors import DataError, ResourceError

_ENDINGS = {
    "JPEG": ".jpg .jpeg .jpe .jif .jfif", "PNG": ".png .apng", "BMP": ".bmp", "DIB": ".dib", "GIF": ".gif",
    "TIFF": ".tif .tiff", "WEBP": ".webp", "PPM": ".ppm .pgm .pbm .pnm", "AVIF": ".avif .avifs",
    "JPEG2000": ".jp2 .j2k .j2c .jpc .jpf .jpx", "TGA": ".tga", "PCX": ".pcx", "SGI": ".sgi .rgb .bw", "QOI": ".qoi",
}  # fmt: skip
"""Formats and their endings. No others, though Pillow knows more: EPS and the like would start other programs."""


def _formats() -> tuple[str, ...]:
    """Those that the installed Pillow reads; and what phones write, where pillow-heif is installed."""
    lacking = {name for name, what in {"AVIF": "avif", "JPEG2000": "jpg_2000"}.items() if not features.check(what)}
    known = [name for name in _ENDINGS if name not in lacking]
    if importlib.util.find_spec("pillow_heif") is None:
        return tuple(known)
    importlib.import_module("pillow_heif").register_heif_opener()
    return (*known, "HEIF")


_FORMATS = _formats()
IN_WORDS = (
    "turned upright by its EXIF orientation, 16-bit grey cut to its upper 8 bits, transparency laid on white, palettes "
    "and CMYK made RGB, of animations the first frame"
)
"""What `read_image` does, for those who have to do it without this program."""
SUFFIXES = frozenset(
    ending for name in _FORMATS for ending in (".heic .heif .hif" if name == "HEIF" else _ENDINGS[name]).split()
)
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"qoif")
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
"""Picture generators write whole workflows beside a picture; all texts together stay limited."""
MAX_PIXELS = 80_000_000  # below Pillow's own alarm; a picture of that size already takes 240 MB
MIN_EDGE = 2
_SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class Content:
    """A file's bytes, where there is no file: an image inside a table. `name` is for messages."""

    data: bytes
    name: str

    def __str__(self) -> str:
        return self.name


def is_image(path: Path) -> bool:
    """Whether a file is to be an image, by its ending; by its first bytes where it has none. It may still be broken."""
    if path.suffix:
        return path.suffix.lower() in SUFFIXES
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or head[4:12] == b"ftypavif"


def read_image(path: Path | Content, quick: bool = False) -> Image.Image:
    """Decode a file completely.

    Args:
        quick: let JPEGs be decoded at an eighth of their size. All of the file is still read, so this finds the same
            faults several times sooner: for checks that need no pixels.

    Returns:
        The first frame, upright, in mode L (grey sources) or RGB.

    Raises:
        DataError: the file is missing, broken or refused; the message begins with its path, or its name.
        ResourceError: memory does not suffice to decode it.
    """
    return _read(path, (1, 1) if quick else None)[0]


def read_thumbnail(path: Path | Content, edge: int) -> tuple[Image.Image, tuple[int, int]]:
    """A small version of the picture, never enlarged, and the size in pixels that the picture really has.

    Args:
        edge: the most pixels of the longer side.

    Raises:
        DataError, ResourceError: as in `read_image`.
    """
    image, size = _read(path, (2 * edge, 2 * edge))  # decoded somewhat larger than needed, so that it stays sharp
    image.thumbnail((edge, edge))
    return image, size


def as_read(image: Image.Image) -> Image.Image:
    """A picture that somebody opened with Pillow, as `read_image` gives it: whoever gets a file as a picture comes by
    here, so that a model sees of it what it would have seen in training.

    Raises:
        DataError, ResourceError: as in `read_image`.
    """
    with _told(getattr(image, "filename", "") or "the picture"):
        _refuse_size(image.size)
        return _to_grey_or_rgb(ImageOps.exif_transpose(image))


def _read(path: Path | Content, draft: tuple[int, int] | None) -> tuple[Image.Image, tuple[int, int]]:
    """The picture and its size in the file, both upright; JPEGs may be decoded smaller, but not below `draft`."""
    with _told(path):
        if isinstance(path, Path) and path.is_fifo():  # opening it would wait for ever
            raise DataError("not a file")
        with Image.open(io.BytesIO(path.data) if isinstance(path, Content) else path, formats=_FORMATS) as image:
            _refuse_size(image.size)
            width, height = image.size
            if draft:
                image.draft(None, draft)
            on_its_side = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
            upright = _to_grey_or_rgb(ImageOps.exif_transpose(image))
            return upright, (height, width) if on_its_side else (width, height)


@contextmanager
def _told(name: object) -> Iterator[None]:
    """Whatever goes wrong with a picture, as an error that begins with its name."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except MemoryError as error:
        raise ResourceError(f"{name}: not enough memory to decode this image; shrink it or remove it") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name}: {_too_large()}") from error
    except Exception as error:  # on broken input Pillow's decoders raise nearly everything there is
        raise DataError(f"{name}: not a readable image ({_reason(error)})") from error


def _refuse_size(size: tuple[int, int]) -> None:
    if min(size) < MIN_EDGE:
        raise DataError(f"only {size[0]} x {size[1]} pixels; at least {MIN_EDGE} x {MIN_EDGE} are needed")
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(f"{size[0]} x {size[1]} pixels: {_too_large()}")


def _to_grey_or_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:
        return _to_eight_bits(image)
    if image.mode == "F":
        raise DataError("floating-point pixels have no fixed range; save it with 8 or 16 bits")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("L" if grey else "RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion of these modes clips at 255 instead of scaling."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise DataError("32-bit pixels have no fixed range; save it with 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _too_large() -> str:
    return f"larger than the {MAX_PIXELS // 10**6} million pixels allowed (a decompression bomb?); shrink it"


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return "its format is not recognised" if text.startswith("cannot identify") else " ".join(text.split())
