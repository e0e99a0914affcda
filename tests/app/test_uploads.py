"""Who may send files to a real server."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from benchmarks.serving import served
from benchmarks.tab import Tab
from pages.widgets import people


def sent(address: str, tab: str) -> int:
    """Send a file as a page of this tab would; returns the status."""
    with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=20) as answer:
        cookie = next(value for name, value in answer.headers.items() if name.lower() == "set-cookie").partition(";")[0]
    boundary = "----part"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="a.zip"\r\n'
        f"Content-Type: application/zip\r\n\r\nPK\r\n--{boundary}--\r\n"
    )
    request = urllib.request.Request(
        f"http://{address}/_stcore/upload_file/{tab}/a-file",
        data=body.encode(),
        method="PUT",
        headers={
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Cookie": cookie,
            "X-Xsrftoken": cookie.partition("=")[2].strip('"'),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_tab_that_is_open_may_send_files_and_none_that_is_not(tmp_path: Path) -> None:
    with served(tmp_path / "runs") as (address, _), Tab(address) as tab:
        tab.open("launch")
        assert sent(address, tab.session) == 204
        assert sent(address, "of-nobody") == 403
        assert sent(address, "") == 403


def test_who_may_not_look_may_not_send(tmp_path: Path) -> None:
    listed = tmp_path / "people.yaml"
    listed.write_text("ada@example.org: admin\n")
    with served(tmp_path / "runs", env={people.SETTING: str(listed)}) as (address, _), Tab(address) as tab:
        assert "no section" in tab.open("launch").text
        assert tab.session
        assert sent(address, tab.session) == 403


@pytest.mark.parametrize("unsaid", ["no list", "no file"])
def test_half_a_setting_lets_nobody_in(tmp_path: Path, unsaid: str) -> None:
    """A provider without a list of people, and a list that is not there."""
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(
        '[auth]\nredirect_uri = "http://127.0.0.1/oauth2callback"\ncookie_secret = "x"\nclient_id = "x"\n'
    )
    env = {people.SETTING: str(tmp_path / "none.yaml")} if unsaid == "no file" else {}
    with served(tmp_path / "runs", cwd=tmp_path, env=env) as (address, _), Tab(address) as tab:
        answer = tab.open("runs")
        assert ("does not say who may" if unsaid == "no list" else "for people on its list") in answer.text
        assert "Run the demo" not in tab.open("home").widgets
