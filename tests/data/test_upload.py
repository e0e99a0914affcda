"""A zip from somebody's browser: what it may hold, every attack, and that nothing is left where it was refused."""

import io
import os
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mimi_core.config import DataConfig
from mimi_core.data import load
from mimi_core.data.intake.upload import HIDDEN, Limits, Upload, unpack
from mimi_core.data.sources.folder import uploaded
from mimi_core.data.unused import in_words
from mimi_core.errors import DataError, MimiError, ResourceError

SMALL = Limits(total_bytes=2**22, slack_bytes=2**18, reserve_bytes=0)


def png(seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, (6, 8, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


GOOD = {f"{name}/{i}.png": png(i) for name in ("cat", "dog") for i in range(4)}


def zipped(
    files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None, method: int = zipfile.ZIP_DEFLATED
) -> io.BytesIO:
    """A zip of `files`; `change` is applied to the entry of the last one."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for number, (name, content) in enumerate(files.items(), start=1):
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            entry.compress_type, entry.external_attr = method, (stat.S_IFREG | 0o644) << 16
            if change and number == len(files):
                change(entry)
            archive.writestr(entry, content)
    return made


def upload(archive: io.BytesIO, into: Path, name: str = "My pets!.zip", limits: Limits = SMALL) -> Upload:
    return unpack(archive, name, into / "datasets", limits=limits)


def refused(archive: io.BytesIO, into: Path, limits: Limits = SMALL, kind: type[MimiError] = DataError) -> str:
    """What is said; and that nothing was written, there or anywhere beside it."""
    with pytest.raises(kind) as caught:
        upload(archive, into, limits=limits)
    assert [path for path in into.rglob("*") if path.name != "datasets"] == []
    message = str(caught.value)
    assert message.isprintable(), "one line, nothing hidden in it"
    assert len(message) < 400
    assert str(into / "datasets") not in message or kind is ResourceError
    return message


# --- what it may hold -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", ["", "pets/", "./", "a/b/", "test/", "Train/"])
def test_class_folders_with_and_without_folders_around_them(tmp_path: Path, around: str) -> None:
    made = upload(zipped({f"{around}{name}": content for name, content in GOOD.items()}), tmp_path)
    assert made.path.parent == tmp_path / "datasets"
    assert made.path.name.startswith("my-pets-")
    data = load(DataConfig(name=made.dataset))
    assert data.class_names == ("cat", "dog")
    assert sum(len(split) for split in (data.train, data.val, data.test)) == made.images == 8
    assert (made.unused, made.unreadable) == ({}, ())


@pytest.mark.parametrize("around", ["", "pets/"])
def test_given_splits_are_kept(tmp_path: Path, around: str) -> None:
    files = {f"{around}{split}/{name}": content for split in ("train", "test") for name, content in GOOD.items()}
    data = load(DataConfig(name=upload(zipped(files), tmp_path).dataset))
    assert (len(data.train) + len(data.val), len(data.test)) == (8, 8)


def test_the_same_zip_gives_the_same_folder(tmp_path: Path) -> None:
    first = upload(zipped(GOOD), tmp_path)
    again = upload(zipped(GOOD), tmp_path)
    other = upload(zipped({**GOOD, "cat/9.png": png(9)}), tmp_path)
    assert (again.path, again.images) == (first.path, 8)
    assert other.path != first.path
    assert set(uploaded(tmp_path / "datasets")) == {first.path, other.path}
    assert uploaded(tmp_path / "nowhere") == []


def test_what_is_no_image_is_counted_and_not_written(tmp_path: Path) -> None:
    others = {
        "README.md": b"x",
        "cat/run.sh": b"#!",
        "cat/inner.zip": zipped(GOOD).getvalue(),
        "page.html": b"<script>",
    }
    junk = {"__MACOSX/cat/._0.png": b"x", "cat/.DS_Store": b"x", ".git/config": b"x"}
    made = upload(zipped({**GOOD, **others, **junk}), tmp_path)
    assert made.images == 8
    told = [
        "4 files left out: 1 .html, 1 .md, 1 .sh, 1 .zip (no images that can be read).",
        "3 files left out: 2 without an ending, 1 .png (leftovers of other programs).",
    ]
    assert list(in_words(made.unused)) == told
    assert list(in_words(upload(zipped({**GOOD, **others, **junk}), tmp_path).unused)) == told, "the second time, too"
    assert {path.suffix for path in made.path.rglob("*") if path.is_file()} == {".png"}


def test_a_missing_ending_is_no_reason_in_a_zip_either(tmp_path: Path) -> None:
    made = upload(zipped({**GOOD, "cat/saved": png(5), "dog/notes": b"text", "dog/phone.HEIC": b"x"}), tmp_path)
    assert made.images == 9
    assert list(in_words(made.unused)) == [
        "1 file left out: 1 without an ending (no images that can be read).",
        "1 file left out: 1 .heic (HEIC: pip install pillow-heif, or convert them, to have them used).",
    ]
    data = load(DataConfig(name=made.dataset))
    assert sum(len(split) for split in (data.train, data.val, data.test)) == 9


def test_corrupt_images_are_left_out_and_named(tmp_path: Path) -> None:
    made = upload(zipped({**GOOD, "cat/broken.png": png()[:60], "dog/page.jpg": b"<html>"}), tmp_path)
    assert made.images == 8
    assert made.unreadable[0].startswith("cat/broken.png: not a readable image")
    assert made.unreadable[1] == "dog/page.jpg: not a readable image (its format is not recognised)"
    load(DataConfig(name=made.dataset))


def test_permissions_of_the_archive_are_not_taken_over(tmp_path: Path) -> None:
    def set_uid(entry: zipfile.ZipInfo) -> None:
        entry.external_attr = (stat.S_IFREG | 0o6777) << 16

    made = upload(zipped(GOOD, set_uid), tmp_path)
    assert not any(path.stat().st_mode & 0o6111 for path in made.path.rglob("*.png"))


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    files = {f"{name}/{i}.png": png() for name in ("cat", "dog") for i in range(80)}
    unpack(zipped(files), "a.zip", tmp_path, lambda done, of: told.append((done, of)), SMALL)
    assert told == [(64, 320), (128, 320), (224, 320), (288, 320), (320, 320)]


# --- attacks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../cat/1.png", "leads out of the archive"),
        ("cat/../../../1.png", "leads out of the archive"),
        ("..", "leads out of the archive"),
        ("/etc/cat/1.png", "leads out of the archive"),
        ("//host/share/1.png", "leads out of the archive"),
        ("C:/cat/1.png", "leads out of the archive"),
        ("C:1.png", "leads out of the archive"),
        ("..\\..\\cat\\1.png", "has a backslash in its name"),
        ("cat\\1.png", "has a backslash in its name"),
        ("../notes.txt", "leads out of the archive"),
        ("cat/a\nb.png", "has control characters in its name"),
        ("cat/\x1b[31m.png", "has control characters in its name"),
        ("cat/1.png\x00.txt", "has control characters in its name"),
        ("cat/\u202egnp.1", "has control characters in its name"),
        ("cat/" + "x" * 250 + ".png", "has too long a name"),
        ("/".join("abcdefghijklmnopq") + "/1.png", "lies in more than 16 folders"),
    ],
)
def test_dangerous_names(tmp_path: Path, name: str, says: str) -> None:
    assert says in refused(zipped({**GOOD, name: png()}), tmp_path)


def test_names_that_look_like_markup_are_names(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    made = upload(zipped({**GOOD, **{f"{evil}/{i}.png": png(i) for i in range(3)}}), tmp_path)
    assert load(DataConfig(name=made.dataset)).class_names == (evil, "cat", "dog")


@pytest.mark.parametrize(
    ("kind", "says"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "special file"), (stat.S_IFCHR, "special file")]
)
@pytest.mark.parametrize("name", ["cat/9.png", "elsewhere"])
def test_links_and_special_files(tmp_path: Path, kind: int, says: str, name: str) -> None:
    def special(entry: zipfile.ZipInfo) -> None:
        entry.external_attr = (kind | 0o777) << 16

    assert says in refused(zipped({**GOOD, name: b"/etc/passwd"}, special), tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("cat/a.png", "cat/A.PNG"),
        ("cat/a.png", "cat/a.png"),
        ("cat/1.png", "Cat/2.png"),
        ("cat/\u00e9.png", "cat/e\u0301.png"),
        ("cat/a.png", "cat/a.png/b.png"),
        ("cat/a.png/b.png", "cat/a.png"),
        ("dog./1.png", "dog/2.png"),
    ],
)
def test_names_that_collide(tmp_path: Path, names: tuple[str, str]) -> None:
    if names[0] == names[1]:
        archive = zipped({**GOOD, names[0]: png()})
        with zipfile.ZipFile(archive, "a") as more, pytest.warns(UserWarning, match="Duplicate"):
            more.writestr(names[1], png(1))
    else:
        archive = zipped({**GOOD, names[0]: png(), names[1]: png(1)})
    assert "would be one and the same on some disks; rename one of them" in refused(archive, tmp_path)


def test_a_bomb_by_its_ratio(tmp_path: Path) -> None:
    archive = zipped({**GOOD, "cat/bomb.bmp": bytes(2**22)})
    assert len(archive.getvalue()) < 2**14
    assert "a zip bomb?" in refused(archive, tmp_path)


def test_a_bomb_of_many_small_parts(tmp_path: Path) -> None:
    archive = zipped({**GOOD, **{f"cat/{i}.bmp": bytes(2**16) for i in range(100)}})
    assert "a zip bomb?" in refused(archive, tmp_path)


@pytest.mark.parametrize("claimed", [10, 0, 2**31])
def test_a_header_that_lies_about_the_size(tmp_path: Path, claimed: int) -> None:
    """Written are never more bytes than the limit; and what is written is not what the archive promised."""
    content = bytearray(zipped({**GOOD, "cat/bomb.bmp": bytes(2**22)}).getvalue())
    last = content.rfind(b"PK\x01\x02")
    content[last + 24 : last + 28] = struct.pack("<I", claimed)
    message = refused(io.BytesIO(content), tmp_path)
    assert "'cat/bomb.bmp' is damaged" in message if claimed < 100 else "zip bomb" in message


def test_the_whole_may_be_too_large(tmp_path: Path) -> None:
    files = {f"cat/{i}.bmp": os.urandom(2**19) for i in range(10)}
    assert "unpacks to more than 4 MB" in refused(zipped({**GOOD, **files}, method=zipfile.ZIP_STORED), tmp_path)


def test_too_many_files(tmp_path: Path) -> None:
    archive = zipped({f"cat/{i}.png": b"" for i in range(300)})
    assert "more than 299 files" in refused(archive, tmp_path, Limits(entries=299))


@pytest.mark.parametrize("flag", [0x1, 0x41, 0x2000])
def test_an_encrypted_entry(tmp_path: Path, flag: int) -> None:
    content = bytearray(zipped(GOOD).getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.rfind(signature) + offset
        content[at : at + 2] = struct.pack("<H", flag)
    assert "'dog/3.png' is encrypted; make the zip without a password" in refused(io.BytesIO(content), tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_unusual_compression(tmp_path: Path, method: int) -> None:
    assert "compressed in an unusual way" in refused(zipped(GOOD, method=method), tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06", b"PK\x03\x04" + bytes(100), bytes(5000)])
def test_not_a_zip(tmp_path: Path, content: bytes) -> None:
    assert "not a whole zip file" in refused(io.BytesIO(content), tmp_path)


def test_a_truncated_zip(tmp_path: Path) -> None:
    content = zipped(GOOD).getvalue()
    assert "make or upload it again" in refused(io.BytesIO(content[: len(content) // 2]), tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=3)), min_size=1, max_size=4))
def test_any_damage_ends_in_a_dataset_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, bytes]]
) -> None:
    into = tmp_path_factory.mktemp("damage")
    content = bytearray(_GOOD_BYTES)
    for where, junk in changes:
        at = int(where * (len(content) - len(junk)))
        content[at : at + len(junk)] = junk
    try:
        made = upload(io.BytesIO(content), into)
    except MimiError:
        assert list(into.rglob("*.png")) == []
    else:
        assert made.path.parent == into / "datasets"


_GOOD_BYTES = zipped({name: content for name, content in GOOD.items() if name[-5] in "012"}).getvalue()


# --- no dataset, no space ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"notes.txt": b"x"}, "no images in it"),
        ({"cat/1.png": png(), "cat/2.png": png()}, "has no class folders"),
        ({**GOOD, "loose.png": png()}, "loose.png: an image outside the class folders"),
        ({**GOOD, "emu/1.png": png()}, "class 'emu' has 1 image(s), too few to split"),
        ({**GOOD, "emu/1.png": b"junk"}, "emu: a class without images"),
        ({f"test1/{name}": c for name, c in GOOD.items()} | {"train/cat/1.png": png()}, "neither train, val nor test"),
    ],
)
def test_no_dataset(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    assert says in refused(zipped(files), tmp_path)


def test_a_full_disk(tmp_path: Path) -> None:
    assert "MB of disk are left" in refused(zipped(GOOD), tmp_path, Limits(reserve_bytes=2**60), ResourceError)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("a file where the folder should be")
    with pytest.raises(ResourceError, match="cannot be written"):
        upload(zipped(GOOD), tmp_path)


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    """A page that is left while it unpacks ends by an exception that is no error."""

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(zipped(GOOD), "a.zip", tmp_path, stop, SMALL)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_swept_away(tmp_path: Path) -> None:
    datasets = tmp_path / "datasets"
    for name, age in (("old", 10**6), ("new", 10)):
        (datasets / f"{HIDDEN}{name}").mkdir(parents=True)
        os.utime(datasets / f"{HIDDEN}{name}", (1e9, os.stat(datasets).st_mtime - age))
    made = upload(zipped(GOOD), tmp_path)
    assert {path.name for path in datasets.iterdir()} == {f"{HIDDEN}new", made.path.name}
    assert uploaded(datasets) == [made.path]
