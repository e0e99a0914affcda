"""One file, one input: training, `predict`, a pack and ONNX make the same tensor of it, whatever kind of file it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from mimi_core.data.pixels import resident, to_float
from mimi_core.data.types import FileImages, Split
from mimi_core.errors import DataError
from mimi_core.export import load_pack
from mimi_core.export.pack import Loaded, write_pack
from mimi_core.export.predict import predict
from mimi_core.export.to_onnx import write_onnx
from mimi_core.runs.store import Store
from tests.export.conftest import MakeRun

RNG = np.random.default_rng(3)
PICTURE = Image.fromarray(np.kron(RNG.integers(0, 255, (4, 6, 3), np.uint8), np.ones((10, 12, 1), np.uint8)))
CLEAR = PICTURE.convert("RGBA")
CLEAR.putalpha(Image.fromarray(np.kron(RNG.integers(0, 255, (4, 6), np.uint8), np.ones((10, 12), np.uint8))))
WIDE = Image.fromarray(np.kron(RNG.integers(0, 65535, (4, 6), np.uint16), np.ones((10, 12), np.uint16)))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


FILES: dict[str, Callable[[Path], None]] = {
    "plain.png": PICTURE.save,
    "plain.bmp": PICTURE.save,
    "plain.webp": lambda p: PICTURE.save(p, lossless=True),
    "plain.jpg": PICTURE.save,
    "progressive.jpg": lambda p: PICTURE.save(p, progressive=True),
    **{f"exif{n}.jpg": (lambda p, n=n: PICTURE.save(p, exif=turned(n))) for n in (2, 3, 4, 5, 6, 7, 8)},  # type: ignore[misc]
    "exif6.png": lambda p: PICTURE.save(p, exif=turned(6)),
    "exif6_grey.jpg": lambda p: PICTURE.convert("L").save(p, exif=turned(6)),
    "exif6.tif": lambda p: PICTURE.save(p, exif=turned(6)),
    "cmyk.jpg": lambda p: PICTURE.convert("CMYK").save(p),
    "cmyk.tif": lambda p: PICTURE.convert("CMYK").save(p),
    "palette.png": lambda p: PICTURE.convert("P").save(p),
    "palette_transparent.png": lambda p: PICTURE.quantize(8).save(p, transparency=3),
    "palette.gif": lambda p: PICTURE.convert("P").save(p),
    "animation.gif": lambda p: PICTURE.save(p, save_all=True, append_images=[CLEAR.convert("RGB").rotate(180)]),
    "rgba.png": CLEAR.save,
    "rgba.webp": lambda p: CLEAR.save(p, lossless=True),
    "rgb_transparent.png": lambda p: PICTURE.save(p, transparency=PICTURE.getpixel((0, 0))),
    "grey.png": lambda p: PICTURE.convert("L").save(p),
    "grey_alpha.png": lambda p: CLEAR.convert("LA").save(p),
    "one_bit.png": lambda p: PICTURE.convert("1").save(p),
    "sixteen.png": WIDE.save,
    "sixteen.tif": WIDE.save,
    "ycbcr.tif": lambda p: PICTURE.convert("YCbCr").save(p),
}


@pytest.fixture(scope="module", params=[True, False], ids=["grey run", "colour run"])
def ways(
    request: pytest.FixtureRequest, store: Store, make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Store, Path, Loaded, onnxruntime.InferenceSession]:
    backbone = ["backbone=test_vit", "backbone.pretrained=false", "backbone.image_size=32", "method=full"]
    data = [] if request.param else ["data=sprites-count"]
    run = make_run(*backbone, *data)
    folder = tmp_path_factory.mktemp("ways")
    config = store.config(run.name)
    write_pack(run, config, 0, folder / "pack.zip")
    write_onnx(run, config, 0, folder / "model.onnx")
    pack = load_pack(folder / "pack.zip")
    assert pack.preprocess.grey == request.param
    return store, run, pack, onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", FILES)
def test_every_way_makes_the_same_of_a_file(
    ways: tuple[Store, Path, Loaded, onnxruntime.InferenceSession], tmp_path: Path, name: str
) -> None:
    store, run, pack, session = ways
    path = tmp_path / name
    FILES[name](path)
    channels: Literal[1, 3] = 1 if pack.preprocess.grey else 3
    trained = resident(Split(FileImages((path,), channels), np.zeros(1, np.int64)), 32, torch.device("cpu")).images
    wanted = to_float(trained, pack.preprocess.mean, pack.preprocess.std)[0]
    for given in (path, str(path), Image.open(path)):
        assert torch.equal(pack.preprocess(given), wanted)
    own = predict(run, store.config(run.name), path).cycles[-1].probabilities
    with torch.no_grad():
        packed = pack.model(pack.preprocess(path)[None])[0].softmax(0)
    np.testing.assert_allclose(packed, own, atol=1e-6)
    (logits,) = session.run(["logits"], {"images": pack.preprocess.scaled(path)[None].numpy()})
    np.testing.assert_allclose(torch.tensor(logits[0]).softmax(0), own, atol=1e-4)


def test_a_graph_of_a_grey_run_turns_colours_grey(
    ways: tuple[Store, Path, Loaded, onnxruntime.InferenceSession],
) -> None:
    """Resized first and turned grey then, which differs by rounding alone."""
    _, _, pack, session = ways
    colours = torch.from_numpy(np.asarray(PICTURE.resize((32, 32), Image.Resampling.BICUBIC)).copy())
    (logits,) = session.run(["logits"], {"images": (colours.permute(2, 0, 1)[None].float() / 255).numpy()})
    with torch.no_grad():
        wanted = pack.model(pack.preprocess(PICTURE)[None]).numpy()
    np.testing.assert_allclose(logits, wanted, atol=0.03 * np.abs(wanted).max())


def test_the_metadata_say_what_is_done(ways: tuple[Store, Path, Loaded, onnxruntime.InferenceSession]) -> None:
    _, _, pack, session = ways
    facts = session.get_modelmeta().custom_metadata_map
    assert pack.preprocess.in_words in facts["input"]
    for word in ("EXIF", "16-bit", "transparency", "CMYK", "32 x 32", "0..1"):
        assert word in facts["input"]
    assert ("grey (Pillow" in facts["input"]) == pack.preprocess.grey == (facts["grey"] == "true")


def test_what_training_refuses_a_pack_refuses(
    ways: tuple[Store, Path, Loaded, onnxruntime.InferenceSession], tmp_path: Path
) -> None:
    _, _, pack, _ = ways
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    Image.new("RGB", (1, 9)).save(tmp_path / "thin.png")
    PICTURE.save(tmp_path / "half.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "half.png").read_bytes()[:-60])
    for name in ("float.tif", "thin.png", "half.png"):
        for given in (tmp_path / name, Image.open(tmp_path / name)):
            with pytest.raises(DataError, match=name):
                pack.preprocess(given)
