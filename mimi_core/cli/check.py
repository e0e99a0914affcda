"""`check`: what a run would take."""

import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.markup import escape

from mimi_core.cli.common import RUNS, PresetOption, RunsOption, SetOption, out, tell_stage, wanted_config
from mimi_core.errors import MimiError
from mimi_core.runs.jobs.check_report import CheckReport


def check(
    configs: Annotated[list[Path] | None, typer.Argument(help="YAML files; every key is optional")] = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for each config")] = False,
) -> None:
    """What a run would take: parameters per cycle, memory, time. Trains a few batches, keeps nothing."""
    from mimi_core.train.check import check as check_config

    started = time.time() - psutil.Process().create_time()
    failed = False
    files: list[Path | None] = [*configs] if configs else [None]
    for file in files:
        report = check_config(wanted_config(file, preset, set_), started, tell_stage if as_json else None, runs)
        failed = failed or not report.ok
        if as_json:
            print(report.model_dump_json(), flush=True)
        else:
            _print_report(report)
    if failed:
        raise typer.Exit(1)


def _print_report(report: CheckReport) -> None:
    if report.error is not None:
        raise MimiError(report.error)
    out.print(
        f"{report.sites} adapters, {report.initial_neurons} neurons, {len(report.cycles) - 1} cuts, on {report.device}"
    )
    for cycle in report.cycles:
        out.print(
            f"cycle {cycle.cycle}: {cycle.neurons} neurons, {cycle.adapter_parameters:,} adapter parameters, "
            f"{cycle.trained_parameters:,} trained"
        )
    out.print(
        f"about {(report.memory_bytes or 0) / 2**20:,.0f} MiB, about {report.seconds or 0:,.0f} s "
        f"({report.images_per_second or 0:.0f} images/s)"
    )
    for kept in report.kept_images:
        disk = f", {kept.disk_bytes / 2**20:,.0f} MiB of disk" if kept.disk_bytes else ""
        where = {"memory": "kept in memory", "disk": "kept on disk", "nowhere": "decoded anew in every epoch"}
        out.print(
            f"{kept.split}: {kept.images:,} images {where[kept.place]}, "
            f"{kept.memory_bytes / 2**20:,.1f} MiB of memory{disk}"
        )
    for warning in report.warnings:
        out.print(f"warning: {escape(warning)}")
