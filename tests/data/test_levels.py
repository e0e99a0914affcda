"""12-bit values in 16-bit files: noticed, said, and stretched in every way that a file becomes a tensor."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimi_core.config import DataConfig, make_config, read_run_config, to_yaml
from mimi_core.config.settings import from_link, link
from mimi_core.data import load
from mimi_core.data.decode import Decoding, as_read, read_image, read_thumbnail
from mimi_core.data.intake.preview import preview
from mimi_core.data.levels import FULL, GreyLevels, chosen
from mimi_core.errors import ConfigError

Made = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Made:
    """A folder of two classes of ten pictures: a ramp up to `peak`, in 16 bits, as tif and png by turns."""

    def made(peak: int, name: str = "set", dtype: type = np.uint16) -> Path:
        for label, folder in enumerate(("healthy", "ill")):
            (tmp_path / name / folder).mkdir(parents=True)
            for n in range(10):
                ramp = np.linspace(peak // 20, peak, 64)[None].repeat(64, 0)
                ramp[20:40, 20:30] += 100 * label
                values = ramp.clip(0, peak).astype(dtype)
                Image.fromarray(values).save(tmp_path / name / folder / f"{n}.{'png' if n % 2 else 'tif'}")
        return tmp_path / name

    return made


def grey_levels(data: DataConfig) -> tuple[int, int]:
    pixels = np.stack([np.asarray(load(data).train.images[i]) for i in range(3)])
    return len(np.unique(pixels)), int(pixels.max())


@pytest.mark.parametrize(("peak", "white"), [(4095, 4095), (3900, 4095), (1000, 1023), (15000, 16383), (200, 255)])
def test_fewer_bits_are_stretched_and_told(make: Made, peak: int, white: int) -> None:
    data = DataConfig(name=f"folder:{make(peak)}")
    dataset = load(data)
    assert dataset.decoding.levels == GreyLevels(0, white)
    many, brightest = grey_levels(data)
    assert many >= 60
    assert brightest == peak * 256 // (white + 1)
    (told,) = dataset.remarks
    assert f"{peak:,} at most" in told
    assert f"0 to {white:,} are stretched" in told
    assert any(remark == told for remark in preview(data).remarks), "on Launch"
    brightest_sample = max(np.asarray(sample_of(sample.png)).max() for sample in preview(data).samples)
    assert brightest_sample >= 200


def sample_of(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("L")


@pytest.mark.parametrize("peak", [65535, 33000, 16384])
def test_sixteen_bits_stay_as_they_were(make: Made, peak: int) -> None:
    dataset = load(DataConfig(name=f"folder:{make(peak)}"))
    assert (dataset.decoding.levels, dataset.remarks) == (FULL, ())


def test_eight_bits_are_left_alone(make: Made) -> None:
    dataset = load(DataConfig(name=f"folder:{make(40, dtype=np.uint8)}"))
    assert (dataset.decoding.levels, dataset.remarks) == (FULL, ())
    assert np.asarray(dataset.train.images[0]).max() == 40


def test_a_person_may_decide(make: Made) -> None:
    folder = make(4000)
    full = DataConfig(name=f"folder:{folder}", range="full")
    assert grey_levels(full)[1] == 15
    (told,) = load(full).remarks
    assert "at most 16 levels of grey" in told
    assert "data.range=auto" in told
    own = make_config(sets=[f"data=folder:{folder}", "data.range=[200, 2199]"]).data
    assert load(own).decoding.levels == GreyLevels(200, 2199)
    assert grey_levels(own)[1] == 255
    (told,) = load(own).remarks
    assert "20 16-bit images hold values above 2,199" in told


def test_test_images_do_not_decide_but_are_told(make: Made, tmp_path: Path) -> None:
    make(4000, "sorted/train")
    make(30000, "sorted/test")
    dataset = load(DataConfig(name=f"folder:{tmp_path / 'sorted'}"))
    assert dataset.decoding.levels == GreyLevels(0, 4095)
    assert "20 16-bit images hold values above 4,095" in dataset.remarks[1]


def test_the_whole_range_is_the_upper_eight_bits() -> None:
    every = np.arange(65536)
    assert np.array_equal(FULL.to_eight_bits(every), every >> 8)
    assert GreyLevels(100, 355).to_eight_bits(np.array([0, 100, 101, 355, 356, 65535])).tolist() == [
        0,
        0,
        1,
        255,
        255,
        255,
    ]
    assert chosen("auto", []) == (FULL, [])


def test_every_reader_takes_the_same_levels(tmp_path: Path) -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    how = Decoding(GreyLevels(0, 4095))
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        wanted = (values >> 4).astype(np.uint8)
        assert np.array_equal(np.asarray(read_image(tmp_path / name, decoding=how)), wanted)
        assert np.array_equal(np.asarray(as_read(Image.open(tmp_path / name), how)), wanted)
        assert np.array_equal(np.asarray(read_thumbnail(tmp_path / name, 64, how)[0]), wanted)


@pytest.mark.parametrize("text", ["auto", "full", "[0, 4095]", "[200,3800]", "200, 3800"])
def test_the_setting_survives_every_form(text: str, tmp_path: Path) -> None:
    config = make_config(sets=[f"data.range={text}"])
    (tmp_path / "c.yaml").write_text(to_yaml(config))
    assert read_run_config(tmp_path / "c.yaml") == config
    query = link(config)
    assert from_link(query["preset"], query["set"]) == config
    assert make_config({"data": {"range": [200, 3800]}}) == make_config(sets=["data.range=[200, 3800]"])


@pytest.mark.parametrize("text", ["most", "[5]", "[10, 5]", "[0, 65536]", "[-1, 5]", "[0.5, 7]", "true", "[0, .inf]"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.range: auto, full, or two whole numbers"):
        make_config(sets=[f"data.range={text}"])
