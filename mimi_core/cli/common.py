"""What the commands share: where they print, options that mean the same everywhere, and how a config is read."""

import sys
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mimi_core.analysis.common import words
from mimi_core.analysis.common.statistics import Interval
from mimi_core.backbones.families import FAMILIES
from mimi_core.config import PRESETS, RunConfig, make_config
from mimi_core.config.settings import settings
from mimi_core.config.text import read_config_file
from mimi_core.data.catalogue import SOURCES
from mimi_core.errors import MimiError
from mimi_core.runs.jobs.check_report import STAGE

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ConfigArgument = Annotated[Path | None, typer.Argument(help="YAML file; every key is optional")]
PresetOption = Annotated[str | None, typer.Option(help=f"start from one of: {', '.join(PRESETS)}")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="section.key=value, such as prune.rho=0.5; repeatable")
]
RunsOption = Annotated[Path, typer.Option("--runs", help="folder of all runs", envvar="MIMI_RUNS")]
RUNS = Path("runs")
STOPPED = 3
"""Exit code of what was stopped before it finished."""
APP_PACKAGES = {name: name for name in ("streamlit", "pandas", "plotly", "altair", "jinja2")} | {
    "vl-convert-python": "vl_convert"
}
"""What the extra `app` brings, and the library itself does without: package -> module."""


def choices_in_words() -> str:
    """What can be chosen by name, for the end of a command's help: read from the catalogues."""
    listed = {path: setting.choices for path, setting in settings().items() if setting.kind == "choice"}
    listed["data.name"] = tuple(f"{s.name}{s.placeholder or '..'}" if s.name.endswith(":") else s.name for s in SOURCES)
    listed["backbone.name"] = ("demo", *(family.models[0] for family in FAMILIES), "or any other timm model")
    return "\n\n".join(["Choices for --set:", *(f"{path}: {', '.join(names)}" for path, names in listed.items())])


def wanted_config(path: Path | None, preset: str | None, sets: list[str] | None) -> RunConfig:
    """The config that the arguments of a command ask for. Raises ConfigError."""
    return make_config(read_config_file(path) if path else None, preset, sets)


def require_app(what: str) -> None:
    """Raises MimiError, before anything is started, where packages of the extra `app` are absent."""
    if absent := [name for name, module in APP_PACKAGES.items() if find_spec(module) is None]:
        raise MimiError(f'{what} needs {", ".join(absent)}, which the app brings: pip install "mimi-studio[app]"')


def tell_stage(what: str) -> None:
    """What a command is doing, for the app that waits for it (`Job.stage`)."""
    print(f"{STAGE}{what}", file=sys.stderr, flush=True)


def percent_unspaced(share: float | None, digits: int = 1) -> str:
    """`88.3%`: the digits of the app, without its blank, so that a line can be split at blanks. Empty for unknown."""
    return "" if share is None or isnan(share) else words.percent(share, digits).replace(" ", "")


def spread(interval: Interval) -> str:
    """`1.3%`, half of the interval; its ends, `85.3-100.0%`, where it is not even. Empty without one."""
    if isnan(interval.low):
        return ""
    return (
        percent_unspaced(interval.half_width)
        if interval.is_symmetric
        else f"{words.points(interval.low)}-{percent_unspaced(interval.high)}"
    )
