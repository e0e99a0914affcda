"""How much may be made, for real folders and runs."""

from pathlib import Path

import pytest

from mimi_core.config import make_config
from mimi_core.errors import ConfigError, ResourceError
from mimi_core.runs import quota
from mimi_core.runs.status import read_status, write_status
from mimi_core.runs.store import Store
from tests.conftest import QUICK

CONFIG = make_config(preset="quick", sets=QUICK)


def test_a_person_alone_is_not_counted(store: Store) -> None:
    for _ in range(3):
        store.create(CONFIG)
    quota.check_runs(store, 10_000)


def test_runs_of_a_person_are_counted_while_they_wait_or_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quota.RUNS, "3")
    mine = [store.create(CONFIG, owner="ada@example.org") for _ in range(3)]
    store.create(CONFIG, owner="bob@example.org")
    with pytest.raises(ResourceError, match=r"3 of your runs wait or work already, and one more .* limit of 3"):
        quota.check_runs(store, 1, "ada@example.org")
    quota.check_runs(store, 2, "bob@example.org")
    with pytest.raises(ResourceError, match="3 more"):
        quota.check_runs(store, 3, "bob@example.org")
    status = read_status(store.folder(mine[0]))
    assert status is not None
    write_status(store.folder(mine[0]), status.model_copy(update={"phase": "stopped"}))
    quota.check_runs(store, 1, "ada@example.org")
    with pytest.raises(ResourceError, match="of the runs"):  # nobody signs in: all of them
        quota.check_runs(store, 1)


def test_people_who_sign_in_have_a_limit_without_a_setting(store: Store) -> None:
    quota.check_runs(store, quota.RUNS_OF_A_PERSON, "ada@example.org")
    with pytest.raises(ResourceError, match="over the limit of 100"):
        quota.check_runs(store, quota.RUNS_OF_A_PERSON + 1, "ada@example.org")


def test_what_must_stay_free_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "not" / "there yet"
    monkeypatch.setenv(quota.FREE, "0")
    quota.check_disk([folder])
    with pytest.raises(ResourceError, match="are to stay free: delete runs"):
        quota.check_disk([folder], more=10**18)
    monkeypatch.setenv(quota.FREE, "1e9")
    with pytest.raises(ResourceError, match="MIMI_MIN_FREE_GB"):
        quota.check_disk([folder])


def test_runs_and_datasets_together_have_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, datasets = tmp_path / "runs", tmp_path / "datasets"
    for folder in (runs / "a" / "b", datasets):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(600))
    (runs / "link").symlink_to("/")
    assert quota.size(runs) < 5000
    monkeypatch.setenv(quota.SIZE, "0.00001")
    quota.check_disk([runs, datasets])
    with pytest.raises(ResourceError, match="more than the limit of 1e-05 GB"):
        quota.check_disk([runs, datasets], more=9000)


def ask(store: Store) -> None:
    quota.check_runs(store, 1)
    quota.check_disk([store.directory])


@pytest.mark.parametrize("name", [quota.RUNS, quota.FREE, quota.SIZE])
@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf"])
def test_a_setting_that_is_no_number_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: '{value}' is not a number"):
        ask(store)
