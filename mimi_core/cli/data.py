"""`data`: which datasets there are, whether one can be used, and what it looks like."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from mimi_core.cli.common import err, out
from mimi_core.config import DataConfig, datasets_folder, make_config
from mimi_core.data.catalogue import absent, kept, known, missing, named
from mimi_core.data.duplicates import across_splits
from mimi_core.data.duplicates import in_words as said_of
from mimi_core.data.intake.preview import balance, counts_of
from mimi_core.data.intake.preview import preview as look
from mimi_core.data.intake.sheet import sheet
from mimi_core.data.loading import load
from mimi_core.data.sources import folder, hf
from mimi_core.data.unused import in_words
from mimi_core.errors import DataError, ResourceError

MOST_TOLD = 20

data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Datasets: which there are, and what is in one.")
NameArgument = Annotated[str, typer.Argument(help="a dataset, or a folder with a folder of images per class")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="such as data.path=/data; repeatable")]


@data.command("ls")
def list_all(as_json: Annotated[bool, typer.Option("--json", help="one JSON list")] = False) -> None:
    """List all datasets: which are on this machine, and how to get the others."""
    lacking, fetched = absent(), kept()
    summaries = {**known(), **dict.fromkeys(fetched, f"in {datasets_folder()}")}
    rows = [{"name": name, "summary": summary, "missing": lacking.get(name)} for name, summary in summaries.items()]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("dataset", "here", "what"):
        table.add_column(column)
    for row in rows:
        here = "no" if row["missing"] else "yes" if row["name"] in (*named(), *fetched) else ""
        table.add_row(escape(str(row["name"])), here, escape(str(row["summary"])))
    out.print(table)
    families: dict[str, list[str]] = {}
    for name in lacking:
        families.setdefault(name.partition(":")[0], []).append(name)
    for family, names in families.items():
        more = f". Likewise {len(names) - 1} more of {family}:" if names[1:] else ""
        out.print(escape(f"missing: {lacking[names[0]]}{more}"))


@data.command()
def check(
    name: NameArgument,
    set_: SetOption = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="download it where it is absent and that is possible")] = False,
) -> None:
    """Open every image of a dataset as a run would, and count them; tell all that cannot be used."""
    config = _config(name, set_)
    if fetch and missing(config):
        from mimi_core.train.fetch import fetch_missing

        fetch_missing(config, lambda what: err.print(escape(what)))
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        console=err, disable=not err.is_terminal, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("checking images", total=0)
        dataset = load(
            config.model_copy(update={"skip_bad": True}),
            lambda done, of: bar.update(task, completed=done, total=of),
        )
        task = bar.add_task("looking for the same image in two splits", total=0)
        twice = across_splits(dataset, lambda done, of: bar.update(task, completed=done, total=of))
    counts = counts_of(dataset)
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for split in counts:
        table.add_column(split, justify="right")
    for label, class_name in enumerate(dataset.class_names):
        table.add_row(escape(class_name), *(f"{of[label]:,}" for of in counts.values()))
    table.add_row("all", *(f"{sum(of):,}" for of in counts.values()))
    out.print(table)
    for remark in balance(dataset.class_names, counts):
        out.print(f"beware: {escape(remark)}")
    for remark in (*in_words(dataset.unused), *dataset.remarks, *said_of(twice, dataset.class_names)):
        out.print(f"beware: {escape(remark)}")
    for fault in dataset.skipped[:MOST_TOLD]:
        out.print(f"left out: {escape(fault)}")
    if len(dataset.skipped) > MOST_TOLD:
        out.print(f"left out: {len(dataset.skipped) - MOST_TOLD:,} more")
    if dataset.skipped and not config.skip_bad:
        raise DataError(
            f"{len(dataset.skipped):,} cannot be used: repair or remove them, or leave them out by data.skip_bad=true"
        )


@data.command()
def preview(
    name: NameArgument,
    to: Annotated[Path, typer.Option("--out", help="the picture to write, such as sheet.png")],
    set_: SetOption = None,
    classes: Annotated[int, typer.Option(min=1, max=200, help="so many classes, at most")] = 20,
    first: Annotated[int, typer.Option(min=0, help="leave so many classes out before")] = 0,
) -> None:
    """Draw some training images of every class onto one sheet."""
    config = _config(name, set_)
    seen = look(config, first, classes)
    if first >= len(seen.class_names):
        raise DataError(f"{config.name} has {len(seen.class_names)} classes; lower --first")
    try:
        sheet(seen).save(to)
    except ValueError as error:
        raise DataError(f"{to}: not a kind of picture that can be written; end the name in .png") from error
    except OSError as error:
        raise ResourceError(f"{to}: cannot be written ({error.strerror or error})") from error
    for remark in seen.remarks:
        out.print(f"beware: {escape(remark)}")
    out.print(escape(str(to)))


def _config(name: str, sets: list[str] | None) -> DataConfig:
    """What to look at: `name`, or the folder of that name where no dataset has it. What looks like a path is one."""
    place = Path(name).expanduser().absolute()
    if name not in known() and (place.is_dir() or name.startswith(("/", "~", "."))):
        name = f"{hf.PREFIX if hf.is_one(place) else folder.PREFIX}{place}"
    return make_config({"data": {"name": name}}, sets=sets).data
