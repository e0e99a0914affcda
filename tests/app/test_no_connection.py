"""The app asks nobody on the network for anything, however it is started: seen from outside, by strace."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from benchmarks.serving import ROOT, served
from benchmarks.tab import Tab
from pages.widgets.menu import pages

STREAMLIT = (sys.executable, "-m", "streamlit", "run", "{script}", "--server.port", "{port}")
MIMI = (sys.executable, "-m", "mimi_core", "app", "--port", "{port}", "--runs", "{runs}")
UVICORN = (sys.executable, "-m", "uvicorn", "app:app", "--port", "{port}")
STARTS = {
    "streamlit": STREAMLIT,
    "streamlit, for the network": (*STREAMLIT, "--server.address", "0.0.0.0"),
    "mimi app": MIMI,
    "mimi app, for the network": (*MIMI, "--host", "0.0.0.0"),
    "uvicorn": UVICORN,
}
SENT = re.compile(r"^\d+ +(?:connect|sendto|sendmsg|sendmmsg)\(.*(?:AF_INET6?\b.*)$", re.MULTILINE)
"""Calls that name an address of a network: a look-up of a name is one, too."""
STRACE = ("strace", "-D", "-f", "-qq", "-s", "0", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o")


def traced(log: Path, command: tuple[str, ...]) -> tuple[str, ...]:
    if shutil.which("strace") is None:
        pytest.skip("no strace found: apt-get install strace")
    return (*STRACE, str(log), *command)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "elsewhere"),
    [
        ("streamlit", False),
        ("streamlit, for the network", True),
        ("mimi app", True),
        ("mimi app, for the network", False),
        ("uvicorn", False),
    ],
)
def test_nothing_goes_out(start: str, elsewhere: bool, tmp_path: Path) -> None:
    log = tmp_path / "calls.txt"
    env = {"PYTHONPATH": str(ROOT)}
    cwd = tmp_path if elsewhere else ROOT
    with served(tmp_path / "runs", start=traced(log, STARTS[start]), cwd=cwd, env=env) as (address, _):
        for foreign in (f"http://{address}", "http://rebound.example", "http://203.0.113.9"):
            try:
                with connect(f"ws://{address}/_stcore/stream", origin=foreign):
                    pass
            except InvalidStatus:
                assert foreign != f"http://{address}"
        with Tab(address) as tab:
            for page in pages() if start == "streamlit" else ["runs"]:
                tab.open(page)
    assert log.exists()
    assert SENT.findall(log.read_text()) == []


def test_a_call_that_goes_out_is_seen(tmp_path: Path) -> None:
    """What Streamlit does to learn this machine's addresses."""
    log = tmp_path / "calls.txt"
    asks = (
        "import streamlit.net_util as n; n.get_internal_ip(); n._make_blocking_http_get('http://a.invalid', timeout=1)"
    )
    subprocess.run(traced(log, (sys.executable, "-c", asks)), check=True, capture_output=True)
    assert any("8.8.8.8" in call for call in SENT.findall(log.read_text()))
