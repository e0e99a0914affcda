"""A real server, asked in the name of others."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from benchmarks.serving import served
from pages.widgets import hosts

PATHS = ("/", "/launch", "/_stcore/health", "/_stcore/host-config", "/media/x.png", "/_stcore/upload_file/a/b")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that listens at this machine alone, and has been told of other names."""
    env = {
        "MIMI_HOSTS": "mimi.example.org, *.lab.example",
        "STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS": "https://front.example.org",
    }
    with served(tmp_path_factory.mktemp("hosts") / "runs", env=env) as (address, _):
        yield address.rpartition(":")[2]


def get(port: str, path: str, host: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def opens(port: str, host: str, origin: str | None) -> bool:
    """Whether a websocket with these headers is let in."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as connection:
        try:
            with connect(f"ws://{host}/_stcore/stream", sock=connection, origin=origin, subprotocols=["streamlit"]):
                return True
        except InvalidStatus as refusal:
            if refusal.response.status_code != 403:
                raise
            return False


@pytest.mark.parametrize("path", PATHS)
def test_a_name_of_a_stranger_is_answered_nothing(port: str, path: str) -> None:
    status, said = get(port, path, f"rebound.example:{port}")
    assert status == 403
    assert "does not answer to the name rebound.example" in said
    assert "--allow-host" in said
    assert "MIMI_HOSTS" in said


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "mimi.example.org", "a.lab.example"])
def test_names_that_are_known_are_answered(port: str, host: str) -> None:
    assert get(port, "/_stcore/health", f"{host}:{port}") == (200, "ok")
    assert opens(port, f"{host.rstrip('.')}:{port}", f"http://{host.rstrip('.')}:{port}".lower())


@pytest.mark.parametrize(
    "host", ["lab.example", "x.mimi.example.org", "localhost.evil.example", "mimi.example.org.evil.example", "10.1.2.3"]
)
def test_a_name_that_only_looks_like_one_is_not(port: str, host: str) -> None:
    assert get(port, "/", host)[0] == 403
    assert not opens(port, f"{host}:{port}", f"http://{host}:{port}")


def test_a_websocket_must_come_from_where_it_goes(port: str) -> None:
    here = f"127.0.0.1:{port}"
    assert opens(port, here, f"http://{here}")
    assert opens(port, here, None)  # no browser
    assert opens(port, here, "https://front.example.org")  # named in server.corsAllowedOrigins
    for foreign in ("http://rebound.example", f"http://rebound.example:{port}", "http://127.0.0.1:1", "null"):
        assert not opens(port, here, foreign)
    assert not opens(port, f"rebound.example:{port}", f"http://rebound.example:{port}")
    assert not opens(port, f"rebound.example:{port}", f"http://{here}")
    assert not opens(port, f"rebound.example:{port}", None)


@pytest.mark.parametrize("host", ["", ".", "a@localhost", "localhost:x", "localhost/..", "[::1", "localhost:99999"])
def test_what_is_no_name_is_no_host(host: str) -> None:
    assert not hosts.answers_to(host)


def test_who_listens_everywhere_answers_to_the_addresses_of_this_machine(tmp_path: Path) -> None:
    with served(tmp_path / "runs", env={"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}) as (address, _):
        port = address.rpartition(":")[2]
        assert get(port, "/_stcore/health", f"127.0.0.1:{port}")[0] == 200
        assert get(port, "/_stcore/health", f"{socket.gethostname()}:{port}")[0] == 200
        assert get(port, "/_stcore/health", f"203.0.113.9:{port}")[0] == 403
        assert not opens(port, f"rebound.example:{port}", f"http://rebound.example:{port}")
