"""A link where a download would go: nothing is put where it leads to."""

from pathlib import Path

import pytest

from mimi_core.errors import DataError
from mimi_core.train.fetch import _fetch_from_the_hub, _put


def test_a_link_in_the_place_of_a_dataset_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "data_batch_1").write_text("new")
    (tmp_path / "precious").mkdir()
    (tmp_path / "place").symlink_to(tmp_path / "precious")
    with pytest.raises(DataError, match=r"place is a link to .*precious, where nothing will be put"):
        _put(tmp_path / "new", tmp_path / "place")
    assert list((tmp_path / "precious").iterdir()) == []


def test_nor_is_one_in_the_place_of_a_download_under_way(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / ".place.half").symlink_to(tmp_path / "precious")
    with pytest.raises(DataError, match=r"\.place\.half is a link"):
        _fetch_from_the_hub("owner/name", tmp_path / "place", "", lambda _: None)
    assert list((tmp_path / "precious").iterdir()) == []
