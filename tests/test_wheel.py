"""A wheel of the tracked files, installed beside the same libraries, does in an empty folder what the checkout does."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from mimi_core.runs.store import Store
from tests.conftest import QUICK

ROOT = Path(__file__).resolve().parents[1]
SETS = [part for setting in [*QUICK, "train.epochs=1"] for part in ("--set", setting)]
PATIENCE = 120.0
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installed:
    """An environment into which the wheel was installed, and an empty folder to be in."""

    bin: Path
    wheel: Path
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith(("MIMI_", "STREAMLIT_"))}
        own = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
        return kept | own

    def do(self, *command: str) -> str:
        """What it prints; it must end well."""
        program = [str(self.bin / command[0]), *command[1:]]
        done = subprocess.run(
            program, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    base = tmp_path_factory.mktemp("wheel")
    tree, environment, folder = base / "tree", base / "environment", base / "empty"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    (tree / "assets" / "study" / "a-run").mkdir()
    (tree / "assets" / "study" / "a-run" / "adapters.safetensors").write_bytes(b"not to be shipped")
    offline = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", tree, "--no-build-isolation", "--wheel-dir", base, *offline], check=True)
    (wheel,) = base.glob("*.whl")
    venv.create(environment, symlinks=True)
    (own,) = environment.glob("lib/python*/site-packages")
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib"))  # the libraries that are here already
    target = environment / "bin" / "python"
    subprocess.run([*pip, "--python", target, "install", "--no-compile", wheel, *offline], check=True)
    folder.mkdir()
    return Installed(environment / "bin", wheel, folder)


def test_what_is_in_it(installed: Installed) -> None:
    with ZipFile(installed.wheel) as wheel:
        names = set(wheel.namelist())
        study = sum(i.file_size for i in wheel.infolist() if i.filename.startswith("mimi_core/_app/assets/study/"))
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mimi_core"}
    pages = {f"mimi_core/_app/{file.relative_to(ROOT).as_posix()}" for file in (ROOT / "pages").rglob("*.py")}
    assert pages | {"mimi_core/_app/app.py", "mimi_core/_app/.streamlit/config.toml"} <= names
    assert 100_000 < study < 15_000_000
    assert not any(name.endswith(".safetensors") for name in names if "/study/" in name)


def test_the_command_line(installed: Installed) -> None:
    assert "finished" in installed.do("mimi", "run", "--preset", "quick", *SETS)
    (run,) = Store(installed.folder / "runs").list()
    assert run.id in installed.do("mimi", "ls")
    installed.do("mimi", "report", run.id, "-o", "r.html")
    assert "<html" in (installed.folder / "r.html").read_text()
    assert {path.name for path in installed.folder.iterdir()} == {"runs", "r.html"}


def test_a_queued_run_is_done_by_processes_of_its_own(installed: Installed) -> None:
    run_id = installed.do("mimi", "submit", "--preset", "quick", *SETS, "--runs", "queued").strip()
    store, deadline = Store(installed.folder / "queued"), time.monotonic() + PATIENCE
    while store.summary(run_id).phase not in ("finished", "failed", "died") and time.monotonic() < deadline:
        time.sleep(0.3)
    assert store.summary(run_id).phase == "finished", store.log_tail(run_id)


def test_the_app_is_served_with_its_own_settings(installed: Installed) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [installed.bin / "mimi", "app", "--port", port, "--runs", "seen"]
    with (installed.folder / "app.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=installed.folder, env=installed.env, stdout=log, stderr=log)
    try:
        assert answer(f"http://127.0.0.1:{port}/_stcore/health", server) == b"ok"
        assert b"<title>" in answer(f"http://127.0.0.1:{port}/", server)
    finally:
        server.terminate()
        server.wait(PATIENCE)
    (installed.folder / "app.log").unlink()


def answer(address: str, server: "subprocess.Popen[bytes]") -> bytes:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(address, timeout=5) as response:
                return bytes(response.read())
        except URLError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at {address}")


def test_the_home_page_runs_and_nothing_comes_from_the_checkout(installed: Installed) -> None:
    script = """
        import sys
        from pathlib import Path
        from streamlit import config
        from streamlit.testing.v1 import AppTest
        from mimi_core.cli.app import script
        app = script()
        config._main_script_path = str(app)
        config.get_config_options(force_reparse=True)
        assert config.get_option("server.address") == "127.0.0.1"
        assert config.get_option("browser.gatherUsageStats") is False
        assert config.get_option("server.fileWatcherType") == "none"
        sys.path.insert(0, str(app.parent))
        page = AppTest.from_file(str(app), default_timeout=100).run()
        assert not page.exception, page.exception
        assert page.main.children
        from pages.widgets.stores import study_runs
        print(len(study_runs()))
        for name, module in sys.modules.items():
            if name.partition(".")[0] in ("mimi_core", "pages"):
                print(Path(getattr(module, "__file__", None) or list(module.__path__)[0]).resolve())
        """
    lines = "\n".join(line[8:] for line in script.splitlines())
    study, *places = installed.do("python", "-P", "-c", lines).splitlines()
    assert int(study) > 100
    assert len(places) > 20
    assert all(Path(place).is_relative_to(installed.bin.parent.resolve()) for place in places), places
