"""One file, one upright picture in mode L or RGB, or one line that names the file."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mimi_core.config import DataConfig
from mimi_core.data import load
from mimi_core.data.decode import MAX_PIXELS, Decoding, as_read, read_image, read_thumbnail
from mimi_core.data.intake.preview import preview
from mimi_core.errors import DataError, ResourceError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def fault(path: Path) -> str:
    """The message about a bad file: the same from the quick check, one line, and it begins with the file."""
    messages = []
    for quick in (False, True):
        with pytest.raises(DataError) as caught:
            read_image(path, quick)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert messages[0].startswith(f"{path}: ")
    assert "\n" not in messages[0]
    return messages[0]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.gif", "a.tif", "a.webp", "a.ppm", "a.JPG"])
def test_formats(tmp_path: Path, image: Callable[..., Path], name: str) -> None:
    picture = read_image(image(tmp_path / name))
    assert (picture.mode, picture.size) == ("RGB", (12, 10))


def test_lossless_pixels_are_exact(tmp_path: Path, image: Callable[..., Path]) -> None:
    for mode in ("RGB", "L"):
        path = image(tmp_path / f"{mode}.png", mode)
        with Image.open(path) as original:
            assert np.array_equal(np.asarray(read_image(path)), np.asarray(original))


def test_suffix_may_lie(tmp_path: Path, image: Callable[..., Path]) -> None:
    path = image(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert read_image(path).size == (12, 10)


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "grey.pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, name: str) -> None:
    values = np.array([[0, 255, 256], [32768, 65279, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / name)
    picture = read_image(tmp_path / name)
    assert picture.mode == "L"
    assert np.asarray(picture).tolist() == [[0, 0, 1], [128, 254, 255]]


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    picture = read_image(tmp_path / "a.jpg")
    assert picture.mode == "RGB"
    assert np.abs(np.asarray(picture).astype(int) - RED).max() <= 3


def test_palette(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), RED).convert("P").save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as original:
        assert original.mode == "P"
    assert read_image(tmp_path / "a.png").getpixel((0, 0)) == RED


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (3, 2), (*RED, 255))
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 51))
    for name in ("a.png", "a.webp"):
        picture.save(tmp_path / name, lossless=True)
        read = read_image(tmp_path / name)
        assert (read.mode, read.getpixel((0, 0)), read.getpixel((2, 1))) == ("RGB", WHITE, RED)
        assert read.getpixel((1, 0)) == (204, 204, 204)


def test_transparent_grey_stays_grey(tmp_path: Path) -> None:
    Image.new("LA", (3, 2), (0, 0)).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert (read.mode, read.getpixel((0, 0))) == ("L", 255)


def test_transparent_colours_of_a_palette_and_of_rgb(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), RED).convert("P").save(tmp_path / "palette.png", transparency=0)
    with Image.open(tmp_path / "palette.png") as original:
        index = original.getpixel((0, 0))
    Image.new("RGB", (3, 2), RED).convert("P").save(tmp_path / "palette.png", transparency=index)
    Image.new("RGB", (3, 2), RED).save(tmp_path / "rgb.png", transparency=RED)
    for name in ("palette.png", "rgb.png"):
        assert read_image(tmp_path / name).getpixel((0, 0)) == WHITE


def test_one_bit(tmp_path: Path) -> None:
    Image.new("1", (3, 2), 1).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png").mode, read_image(tmp_path / "a.png").getpixel((0, 0))) == ("L", 255)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (1, 0)), (8, (0, 1))])
def test_exif_rotation_is_applied(tmp_path: Path, name: str, orientation: int, corner: tuple[int, int]) -> None:
    """A red block in the stored picture's top left must end in the corner that a photo viewer shows it in."""
    picture = Image.new("RGB", (32, 16), "white")
    picture.paste(RED, (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / name, exif=exif, **({"quality": 95} if name == "a.jpg" else {}))
    read = read_image(tmp_path / name)
    assert read.size == ((16, 32) if orientation in (6, 8) else (32, 16))
    blue = np.asarray(read)[..., 2]
    row, column = (3 if corner[1] == 0 else read.height - 4), (3 if corner[0] == 0 else read.width - 4)
    assert blue[row, column] < 30
    assert (blue < 128).mean() < 0.2


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 0, 255))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif").getpixel((0, 0)) == RED


def test_small_jpegs_survive_the_quick_check(tmp_path: Path, image: Callable[..., Path]) -> None:
    assert read_image(image(tmp_path / "a.jpg", size=(3, 2)), quick=True).mode == "RGB"


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_a_line_is_no_picture(tmp_path: Path, image: Callable[..., Path], size: tuple[int, int]) -> None:
    assert f"only {size[0]} x {size[1]} pixels" in fault(image(tmp_path / "a.png", size=size))


@pytest.mark.parametrize("content", [b"", b"no image at all", b"<html>404 not found</html>", b"\xff\xd8\xff"])
def test_not_an_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert "its format is not recognised" in fault(path)


def test_unreadable_paths(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert "No such file" in fault(tmp_path / "missing.png")
    assert "symbolic links" in fault(tmp_path / "loop.png")
    assert "not a file" in fault(tmp_path / "pipe.png")


@pytest.mark.parametrize("values", [np.zeros((4, 4), np.float32), np.full((4, 4), 70_000, np.int32)])
def test_pixels_without_a_range(tmp_path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert "no fixed range; save it with 8 or 16 bits" in fault(tmp_path / "a.tif")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("edge", [int(MAX_PIXELS**0.5) + 1, 12_000, 65_000])
def test_decompression_bomb(tmp_path: Path, edge: int) -> None:
    """A PNG of a few hundred bytes that claims to be huge; refused before a pixel is decoded."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = part(b"IHDR", struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + part(b"IDAT", zlib.compress(bytes(1000))) + part(b"IEND", b""))
    assert "larger than the 80 million pixels allowed" in fault(path)


def test_memory_runs_out(tmp_path: Path, image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    path = image(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(ResourceError, match=r"a\.png: not enough memory"):
        read_image(path)


def outcome(path: Path, quick: bool) -> str:
    try:
        return read_image(path, quick).mode
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("name", ["a.jpg", "progressive.jpg", "a.png", "a.bmp", "a.tif", "a.webp", "a.gif"])
def test_half_a_file_is_a_fault(tmp_path: Path, image: Callable[..., Path], name: str) -> None:
    path = image(tmp_path / name, size=(64, 48), progressive=name.startswith("progressive"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "not a readable image" in fault(path)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["jpg", "png", "gif", "webp"]), st.floats(0, 1), st.binary(max_size=4))
def test_any_damage_ends_in_a_picture_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, cut: float, junk: bytes
) -> None:
    """And the quick check says the same as the full decode, so nothing can fail after the check."""
    folder = tmp_path_factory.getbasetemp() / "damage"
    path = folder / f"a.{suffix}"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        pixels = np.random.RandomState(0).randint(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    content = path.read_bytes()
    at = int(cut * len(content))
    damaged = folder / f"damaged.{suffix}"
    for version in (content[:at] + junk, content[:at] + junk + content[at + len(junk) :]):
        damaged.write_bytes(version)
        assert outcome(damaged, quick=True) == outcome(damaged, quick=False)


# --- larger than most are allowed to be -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_large_picture_may_be_allowed(
    tmp_path: Path, image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("mimi_core.data.decode.MAX_PIXELS", 1000)
    path = image(tmp_path / name, size=(50, 40))
    told = fault(path)
    assert "50 x 40 pixels: larger than the 0.001 million pixels allowed" in told
    assert "or set data.max_pixels=2000 (decoding it takes about 0.0 GiB of memory)" in told
    assert read_image(path, decoding=Decoding(max_pixels=2000)).size == (50, 40)
    assert read_thumbnail(path, 20, Decoding(max_pixels=2000))[1] == (50, 40)
    with pytest.raises(DataError, match=r"larger than the 0\.001999 million"):
        read_image(path, decoding=Decoding(max_pixels=1999))
    with pytest.raises(DataError, match=r"data\.max_pixels=2000"), Image.open(path) as opened:
        as_read(opened)


def test_a_large_jpeg_is_decoded_smaller_than_it_is(tmp_path: Path) -> None:
    """Left half black, right half white: the same picture, by whatever way it comes."""
    picture = Image.new("L", (12_000, 8_000))
    picture.paste(255, (6_000, 0, 12_000, 8_000))
    picture.save(tmp_path / "a.jpg")
    del picture
    how = Decoding(max_pixels=100_000_000)
    read = read_image(tmp_path / "a.jpg", decoding=how)
    assert read.size == (6_000, 4_000), "half of it; no model sees more than 2048 pixels"
    assert (read.getpixel((10, 10)), read.getpixel((5990, 10))) == (0, 255)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert as_read(opened, how).size == read.size


def test_a_picture_beyond_memory_is_refused_before_it_is_decoded(
    tmp_path: Path, image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimi_core.data.decode.MAX_PIXELS", 1000)
    monkeypatch.setattr("mimi_core.data.decode.free_bytes", lambda: 15_000)
    path = image(tmp_path / "a.png", size=(50, 40))
    with pytest.raises(ResourceError, match=r"a\.png: 50 x 40 pixels take about 0\.0 GiB of memory to decode"):
        read_image(path, decoding=Decoding(max_pixels=2000))


@pytest.mark.parametrize("layout", ["folder", "sorted"])
def test_the_setting_reaches_a_folder(
    tmp_path: Path, image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setattr("mimi_core.data.decode.MAX_PIXELS", 1000)
    for split in ("train", "test") if layout == "sorted" else (".",):
        for label in ("a", "b"):
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(4):
                image(tmp_path / split / label / f"{number}.png", size=(50, 40))
    with pytest.raises(DataError, match=r"data\.max_pixels=2000"):
        load(DataConfig(name=f"folder:{tmp_path}"))
    dataset = load(DataConfig(name=f"folder:{tmp_path}", max_pixels=2000))
    assert dataset.train.images[0].size == (50, 40)
    assert preview(DataConfig(name=f"folder:{tmp_path}", max_pixels=2000)).samples[0].size == (50, 40)
