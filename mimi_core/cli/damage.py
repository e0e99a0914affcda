"""`damage`: what each neuron of a layer is worth, measured, beside the score that it had."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mimi_core.cli.common import RUNS, RunsOption, err, out, percent_unspaced, require_app, tell_stage
from mimi_core.errors import MimiError, RunError
from mimi_core.runs.events import RunState
from mimi_core.runs.formats.damage import MOST_IMAGES
from mimi_core.runs.jobs.neuron_damage import NeuronDamage
from mimi_core.runs.store import Store


def damage(
    run_id: str,
    layer: Annotated[str, typer.Option(help="its name, such as layers.2.blocks.3.mlp, or what pages call it: 3.4 mlp")],
    runs: RunsOption = RUNS,
    cycle: Annotated[
        int | None,
        typer.Option(min=0, help="at its end; without it, the last saved one in which the layer has an adapter"),
    ] = None,
    images: Annotated[
        int, typer.Option(min=2, help="look at so many, at most; the classes in proportion")
    ] = MOST_IMAGES,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """What each neuron of a layer is worth: by how much the loss rises without it. Measured on validation images."""
    if not as_json:
        require_app("the table of neurons")
    store = Store(runs)
    folder, state = store.folder(run_id), store.state(run_id)
    site = site_named(state, layer)

    def measure(tell: Callable[[str], None]) -> NeuronDamage:
        from mimi_core.export.neuron_damage import damage_of_neurons
        from mimi_core.export.saved import saved_cycles

        chosen = cycle
        if chosen is None:
            there = [k for k in saved_cycles(folder) if k < len(state.widths) and state.widths[k].get(site)]
            if not there:
                raise RunError(f"the run has saved no cycle in which {layer[:100]} has an adapter")
            chosen = max(there)
        return damage_of_neurons(folder, store.config(run_id), chosen, site, images, tell)

    if as_json:
        print(measure(tell_stage).model_dump_json())
        return
    with err.status("loading") as status:
        found = measure(status.update)
    _print(store, run_id, found)


def site_named(state: RunState, layer: str) -> str:
    """The site with this name, or with this label. Raises MimiError where there is none."""
    from mimi_core.analysis.common.labels import layers

    named = layers(state.sites)
    for site, label in [*((one.site, one.site) for one in named), *((one.site, one.label) for one in named)]:
        if layer == label:
            return site
    known = ", ".join(f"{one.site} ({one.label})" for one in named[:4])
    raise MimiError(f"the run has no layer {layer[:100]!r}; it has {len(named)}" + (f": {known}, .." if named else ""))


def _print(store: Store, run_id: str, found: NeuronDamage) -> None:
    from mimi_core.analysis.why import damage as why
    from mimi_core.analysis.why import damage_words
    from mimi_core.analysis.why.cut_scores import read_cut

    state, number = store.state(run_id), found.cycle + 1
    cut = read_cut(store.folder(run_id), state, number) if number <= len(state.cuts) else None
    rows = why.neuron_damage_table(cut, found)
    table = Table(box=None, pad_edge=False)
    for column in ("neuron", "damage", "error", "accuracy", *(("score", f"cut {number}") if cut else ())):
        table.add_column(column, justify="right")
    for row in rows.sort_values("damage", ascending=False, kind="stable").itertuples():
        fate = (f"{row.score:.4g}", "lost" if row.lost else "kept") if cut else ()
        measured = f"{row.damage:+.5f}", f"{row.error:.5f}", percent_unspaced(row.accuracy)
        table.add_row(str(row.neuron), *measured, *fate)
    out.print(table)
    said = (
        damage_words.of_neurons(rows, why.agreement_of(rows))
        if cut
        else f"No cut followed cycle {found.cycle}, so there are no scores to hold this against."
    )
    out.print(escape(f"{said} {damage_words.what_it_is(found, 'neuron')}"))
