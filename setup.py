"""Puts the app, which is at the top of the repository, into the package when a wheel is built. See pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
BUNDLED = "mimi_core/_app"
PARTS = ("app.py", ".streamlit/config.toml", "pages/**/*.py", "assets/*.svg", "assets/guide/*.svg")
STUDY = ("config.yaml", "events.jsonl", "status.json")
"""What Ablations shows of a run of the study; weights and scores may lie beside it where the study was made."""


def app_files() -> list[Path]:
    """Of the app, relative to the repository."""
    patterns = (*PARTS, *(f"assets/study/*/{name}" for name in STUDY))
    return sorted(file.relative_to(HERE) for pattern in patterns for file in HERE.glob(pattern))


class BuildWithApp(build_py):
    """Only where files are copied: an editable installation finds the app where it is."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib, BUNDLED), ignore_errors=True)
            for file in app_files():
                target = Path(self.build_lib, BUNDLED, file)
                self.mkpath(str(target.parent))
                self.copy_file(str(HERE / file), str(target))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        mine = [] if self.editable_mode else [str(Path(self.build_lib, BUNDLED, file)) for file in app_files()]
        return super().get_outputs(include_bytecode) + mine

    def get_source_files(self) -> list[str]:
        """Also for a source distribution, from which a wheel can be built."""
        return [*super().get_source_files(), *map(str, app_files())]


setup(cmdclass={"build_py": BuildWithApp})
