"""One image file to one upright picture in mode L or RGB, or one clear error.

Converted faithfully: 16-bit grey (to 8 bits, by its `GreyLevels`), palette and CMYK (to RGB), transparency (laid on
white), EXIF rotation (applied). Refused, because they hold no picture or are dangerous to open: broken and truncated
files, pixels without a known range, pictures thinner than two pixels, decompression bombs.
"""

import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, features

from mimi_core.data.levels import FULL, GreyLevels
from mimi_core.data.memory import free_bytes
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


def in_words(levels: GreyLevels = FULL) -> str:
    """What `read_image` does, for those who have to do it without this program."""
    return (
        f"turned upright by its EXIF orientation, {levels.in_words}, transparency laid on white, palettes and CMYK "
        "made RGB, of animations the first frame"
    )


SUFFIXES = frozenset(
    ending for name in _FORMATS for ending in (".heic .heif .hif" if name == "HEIF" else _ENDINGS[name]).split()
)
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"qoif")
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
"""Picture generators write whole workflows beside a picture; all texts together stay limited."""
MAX_PIXELS = 80_000_000  # below Pillow's own alarm; a picture of that size already takes 240 MB
MIN_EDGE = 2
_SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")
LARGE_EDGE = 2048
"""A JPEG that is larger than most are allowed to be is decoded smaller, but not below that: no model sees more."""
_BYTES = 8
"""Of memory that a pixel takes, at most, while an image is decoded and made RGB."""


@dataclass(frozen=True)
class Decoding:
    """How files of one dataset become pictures, in training and ever after.

    Attributes:
        levels: of 16-bit pictures.
        max_pixels: of the largest that is read; None: `MAX_PIXELS`.
    """

    levels: GreyLevels = FULL
    max_pixels: int | None = None

    @property
    def most(self) -> int:
        return MAX_PIXELS if self.max_pixels is None else self.max_pixels


USUAL = Decoding()


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
    return begins_as_image(head)


def begins_as_image(head: bytes) -> bool:
    """Whether the first 16 bytes of a file are those of a picture."""
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or head[4:12] == b"ftypavif"


def read_image(path: Path | Content, quick: bool = False, decoding: Decoding = USUAL) -> Image.Image:
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
    return _read(path, (1, 1) if quick else None, decoding).picture


def examine(path: Path | Content, decoding: Decoding = USUAL) -> tuple[str, int | None]:
    """The mode that the picture would have, L or RGB, and of a 16-bit one the largest value. All of the file is read.

    Raises:
        DataError, ResourceError: as in `read_image`.
    """
    read = _read(path, (1, 1), decoding)
    return read.picture.mode, read.peak


def peak_of(path: Path | Content, decoding: Decoding = USUAL) -> int | None:
    """The largest value in a 16-bit picture; None for any other, which is not decoded. Errors as in `read_image`."""
    with _told(path, decoding), _opened(path, decoding) as image:
        return int(np.asarray(image).max()) if image.mode in _SIXTEEN_BIT else None


def bytes_of(path: Path | Content) -> bytes:
    """The file as it is; nothing where it cannot be read, which whoever decodes it will say."""
    if isinstance(path, Content):
        return path.data
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


def read_thumbnail(path: Path | Content, edge: int, decoding: Decoding = USUAL) -> tuple[Image.Image, tuple[int, int]]:
    """A small version of the picture, never enlarged, and the size in pixels that the picture really has.

    Args:
        edge: the most pixels of the longer side.

    Raises:
        DataError, ResourceError: as in `read_image`.
    """
    read = _read(path, (2 * edge, 2 * edge), decoding)  # decoded somewhat larger than needed, so that it stays sharp
    read.picture.thumbnail((edge, edge))
    return read.picture, read.size


def as_read(image: Image.Image, decoding: Decoding = USUAL) -> Image.Image:
    """A picture that somebody opened with Pillow, as `read_image` gives it: whoever gets a file as a picture comes by
    here, so that a model sees of it what it would have seen in training.

    Raises:
        DataError, ResourceError: as in `read_image`.
    """
    with _told(getattr(image, "filename", "") or "the picture", decoding):
        _refuse_size(image.size, decoding)
        _draft_if_large(image)
        return _to_grey_or_rgb(ImageOps.exif_transpose(image), decoding.levels)


class _Read(NamedTuple):
    """A picture, its size in the file, both upright, and the largest value of a 16-bit one."""

    picture: Image.Image
    size: tuple[int, int]
    peak: int | None


def _read(path: Path | Content, draft: tuple[int, int] | None, decoding: Decoding) -> _Read:
    """JPEGs may be decoded smaller, but not below `draft`."""
    with _told(path, decoding), _opened(path, decoding) as image:
        width, height = image.size
        if draft:
            image.draft(None, draft)
        else:
            _draft_if_large(image)
        on_its_side = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        upright = ImageOps.exif_transpose(image)
        peak = int(np.asarray(upright).max()) if upright.mode in _SIXTEEN_BIT else None
        picture = _to_grey_or_rgb(upright, decoding.levels)
        return _Read(picture, (height, width) if on_its_side else (width, height), peak)


def _draft_if_large(image: Image.Image) -> None:
    """So that an image takes the memory of others, where only `data.max_pixels` allows it and its format can do so."""
    if image.size[0] * image.size[1] > MAX_PIXELS:
        image.draft(None, (LARGE_EDGE, LARGE_EDGE))


@contextmanager
def _opened(path: Path | Content, decoding: Decoding) -> Iterator[Image.Image]:
    """The file, of which nothing is decoded yet."""
    if isinstance(path, Path) and path.is_fifo():  # opening it would wait for ever
        raise DataError("not a file")
    if Image.MAX_IMAGE_PIXELS is not None and decoding.most > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = decoding.most  # Pillow has one limit for all; ours is looked at below
    with Image.open(io.BytesIO(path.data) if isinstance(path, Content) else path, formats=_FORMATS) as image:
        _refuse_size(image.size, decoding)
        yield image


@contextmanager
def _told(name: object, decoding: Decoding) -> Iterator[None]:
    """Whatever goes wrong with a picture, as an error that begins with its name."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except ResourceError as error:
        raise ResourceError(f"{name}: {error}") from None
    except MemoryError as error:
        raise ResourceError(f"{name}: not enough memory to decode this image; shrink it or remove it") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name}: {_too_large(decoding)}") from error
    except Exception as error:  # on broken input Pillow's decoders raise nearly everything there is
        raise DataError(f"{name}: not a readable image ({_reason(error)})") from error


def _refuse_size(size: tuple[int, int], decoding: Decoding) -> None:
    pixels = size[0] * size[1]
    if min(size) < MIN_EDGE:
        raise DataError(f"only {size[0]} x {size[1]} pixels; at least {MIN_EDGE} x {MIN_EDGE} are needed")
    if pixels > decoding.most:
        raise DataError(f"{size[0]} x {size[1]} pixels: {_too_large(decoding, pixels)}")
    if pixels > MAX_PIXELS and pixels * _BYTES > (free := free_bytes()):
        raise ResourceError(
            f"{size[0]} x {size[1]} pixels take about {pixels * _BYTES / 2**30:.1f} GiB of memory to decode, and "
            f"{free / 2**30:.1f} GiB are free; shrink it or remove it"
        )


def _to_grey_or_rgb(image: Image.Image, levels: GreyLevels) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:
        return _to_eight_bits(image, levels)
    if image.mode == "F":
        raise DataError("floating-point pixels have no fixed range; save it with 8 or 16 bits")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("L" if grey else "RGB")


def _to_eight_bits(image: Image.Image, levels: GreyLevels) -> Image.Image:
    """Pillow's own conversion of these modes clips at 255 instead of scaling."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise DataError("32-bit pixels have no fixed range; save it with 8 or 16 bits")
    return Image.fromarray(levels.to_eight_bits(values))


def _too_large(decoding: Decoding, pixels: int | None = None) -> str:
    allow = ""
    if pixels:
        size = f"{pixels * _BYTES / 2**30:.1f} GiB of memory"
        allow = f", or set data.max_pixels={pixels} (decoding it takes about {size})"
    return f"larger than the {decoding.most / 10**6:g} million pixels allowed (a decompression bomb?); shrink it{allow}"


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return "its format is not recognised" if text.startswith("cannot identify") else " ".join(text.split())
