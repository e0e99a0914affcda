"""An adapter pack gives the run's model again, from the zip alone; one that was tampered with gives none."""

import hashlib
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mimi_core.config import make_config
from mimi_core.errors import ExportError, MimiError
from mimi_core.export import load_pack
from mimi_core.export.pack import write_pack
from mimi_core.runs.formats.gallery import read_gallery, read_probabilities
from mimi_core.runs.store import Store
from tests.export.conftest import Mimi


@pytest.fixture(scope="module")
def pack(store: Store, pruned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packs") / "pack.zip"
    write_pack(pruned, store.config(pruned.name), 2, target)
    return target


def changed(pack: Path, target: Path, change: Callable[[dict[str, bytes]], None], method: int = 0) -> Path:
    """A copy of the pack with other contents."""
    with zipfile.ZipFile(pack) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target


def test_a_pack_gives_the_logits_of_the_run(pruned: Path, pack: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.zip"
    shutil.copy(pack, moved)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, preprocess, class_names = load_pack(moved)
    gallery = read_gallery(pruned)
    stored = read_probabilities(pruned, 2, gallery, len(class_names))
    for place in (0, 9):
        inputs = preprocess(Image.fromarray(gallery.images[place]))[None]
        given = model(inputs).softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(given, stored[place], atol=1e-5)
    assert class_names == tuple("0123456789")


def test_what_is_in_a_pack(store: Store, pruned: Path, pack: Path) -> None:
    with zipfile.ZipFile(pack) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert set(parts) == {"adapters.safetensors", "config.yaml", "pack.json", "README.md"}
    manifest = json.loads(parts["pack.json"])
    assert manifest["sha256"] == {n: hashlib.sha256(c).hexdigest() for n, c in parts.items() if n != "pack.json"}
    assert manifest["preprocessing"]["mean"] == [0.5, 0.5, 0.5]
    assert (manifest["preprocessing"]["image_size"], manifest["preprocessing"]["grey"]) == (64, True)
    assert make_config(yaml.safe_load(parts["config.yaml"])) == store.config(pruned.name)
    neurons = sum(store.state(pruned.name).widths[2].values())
    assert f"{neurons} neurons in" in parts["README.md"].decode()
    assert "load_pack" in parts["README.md"].decode()


def test_another_backbone_is_told(pack: Path, tmp_path: Path) -> None:
    other = Path("mimi_core/resources/demo_backbone.safetensors").resolve()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_pack(pack, checkpoint=other)
    with pytest.raises(ExportError, match="not found"):
        load_pack(pack, checkpoint=tmp_path / "absent.safetensors")

    def without_weights(parts: dict[str, bytes]) -> None:
        config = parts["config.yaml"].replace(b"pretrained: true", b"pretrained: false")
        manifest = json.loads(parts["pack.json"])
        manifest["sha256"]["config.yaml"] = hashlib.sha256(config).hexdigest()
        parts |= {"config.yaml": config, "pack.json": json.dumps(manifest).encode()}

    with pytest.warns(UserWarning, match="other weights"):
        load_pack(changed(pack, tmp_path / "other.zip", without_weights))


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts.update({"config.yaml": parts["config.yaml"] + b"\n"}),
        lambda parts: parts.update({"adapters.safetensors": parts["adapters.safetensors"][:-1] + b"x"}),
        lambda parts: parts.pop("adapters.safetensors"),
        lambda parts: parts.update({"pack.json": b"{}"}),
        lambda parts: parts.update({"pack.json": b" " * 20_000_000}),
    ],
    ids=["config", "weights", "no weights", "no manifest", "huge manifest"],
)
def test_a_pack_that_was_changed_is_refused(
    pack: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    with pytest.raises(ExportError, match=r"other\.zip"):
        load_pack(changed(pack, tmp_path / "other.zip", change))


def test_what_is_no_pack_is_refused(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no adapter pack"):  # weights that unpack to more than the zip
        load_pack(changed(pack, tmp_path / "small.zip", lambda parts: None, zipfile.ZIP_DEFLATED))
    for content in (b"", b"PK\x03\x04", pack.read_bytes()[:-100]):
        (tmp_path / "not.zip").write_bytes(content)
        with pytest.raises(ExportError, match="no adapter pack"):
            load_pack(tmp_path / "not.zip")
    with pytest.raises(ExportError, match="not found"):
        load_pack(tmp_path / "absent.zip")


def test_the_command_writes_a_pack(store: Store, pruned: Path, tmp_path: Path, mimi: Mimi) -> None:
    arguments = ["export", pruned.name, "--runs", str(store.directory)]
    assert "cycle 2 in" in mimi(*arguments, "--pack", str(tmp_path / "pack.zip")).out
    assert load_pack(tmp_path / "pack.zip").class_names
    assert "say what to write" in mimi(*arguments, code=1).err
    assert "has not saved this cycle" in mimi(*arguments, "--cycle", "7", "--pack", "x.zip", code=1).err
    with pytest.raises(MimiError, match="cannot write"):
        write_pack(pruned, store.config(pruned.name), 0, tmp_path / "absent" / "pack.zip")
