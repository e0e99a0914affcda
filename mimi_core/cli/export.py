"""`predict` and `export`: the saved cycles of a run, asked about a picture, or taken along."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from mimi_core.cli.common import RUNS, RunsOption, out, percent_unspaced
from mimi_core.errors import MimiError
from mimi_core.runs.formats.gallery import Prediction
from mimi_core.runs.store import Store


def predict(
    run_id: str,
    image: Annotated[Path, typer.Argument(help="a picture: JPEG, PNG, WebP, ..")],
    runs: RunsOption = RUNS,
    cycle: Annotated[int | None, typer.Option(help="one saved cycle; without it, all of them")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object with all probabilities")] = False,
) -> None:
    """What the saved models of a run, from cycle to cycle, take a picture for."""
    from mimi_core.export.predict import predict as predict_image

    store = Store(runs)
    try:
        cycles = None if cycle is None else [cycle]
        prediction = predict_image(store.folder(run_id), store.config(run_id), image, cycles)
    except MimiError as error:
        if not as_json:
            raise
        prediction = Prediction(ok=False, error=str(error))
    if as_json:
        print(prediction.model_dump_json())
        if not prediction.ok:
            raise typer.Exit(1)
        return
    for one in prediction.cycles:
        best = sorted(zip(one.probabilities, prediction.class_names, strict=False), reverse=True)[:3]
        said = one.error or ", ".join(f"{name} {percent_unspaced(share)}" for share, name in best)
        out.print(f"cycle {one.cycle}: {escape(said)}")


def export(
    run_id: str,
    runs: RunsOption = RUNS,
    cycle: Annotated[int | None, typer.Option(help="which saved cycle; without it, the last")] = None,
    pack: Annotated[Path | None, typer.Option(help="write an adapter pack to this zip file")] = None,
    onnx: Annotated[Path | None, typer.Option(help="write the whole model to this ONNX file")] = None,
) -> None:
    """Take one cycle of a run along: as an adapter pack for `mimi_core.export.load_pack`, or as ONNX."""
    from mimi_core.export.saved import saved_cycles

    if pack is None and onnx is None:
        raise MimiError("say what to write: --pack FILE.zip or --onnx FILE.onnx")
    store = Store(runs)
    folder, config = store.folder(run_id), store.config(run_id)
    if cycle is None:
        cycle = max(saved_cycles(folder), default=0)
    if pack is not None:
        from mimi_core.export.pack import write_pack

        write_pack(folder, config, cycle, pack)
        out.print(f"cycle {cycle} in {escape(str(pack))}, {pack.stat().st_size / 1e6:.2f} MB")
    if onnx is not None:
        from mimi_core.export.to_onnx import write_onnx

        done = write_onnx(folder, config, cycle, onnx)
        out.print(
            f"cycle {cycle} in {escape(str(onnx))}, {done.size / 1e6:.2f} MB, {done.nodes} nodes; "
            f"onnxruntime gives the same logits up to {done.largest_difference:.1g}"
        )
