"""All that reads run folders: of each kind of file what pages, reports and resumes ask of it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mimi_core.analysis.common import gain, tables
from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.theme import colour_scale
from mimi_core.analysis.monitor.curves import accuracy_chart, curves_table, loss_chart, total_steps
from mimi_core.analysis.monitor.signatures import signs_of_failure
from mimi_core.analysis.overview import cards
from mimi_core.analysis.overview.groups import variants
from mimi_core.analysis.overview.runs_table import Filters, by_group, filtered, groups_table, runs_table
from mimi_core.analysis.predictions import tables as predictions
from mimi_core.analysis.report import run_report
from mimi_core.analysis.why import figures as why_figures
from mimi_core.analysis.why import tables as why
from mimi_core.analysis.why import words as why_words
from mimi_core.analysis.why.cut_scores import read_cut
from mimi_core.analysis.widths import words as widths_words
from mimi_core.analysis.widths.heatmap import heatmap_figure
from mimi_core.config import RunConfig, differences, to_yaml
from mimi_core.errors import MimiError
from mimi_core.export.opened_pack import unpack
from mimi_core.export.saved import read_saved
from mimi_core.runs import branch
from mimi_core.runs.describe import describe, describe_death
from mimi_core.runs.events import RunState, parse_line
from mimi_core.runs.formats import cycle_weights, fingerprint, probe, safe_state, scores
from mimi_core.runs.formats.gallery import predicted_cycles, read_gallery, read_probabilities, saved_files
from mimi_core.runs.queue.dispatcher import queued
from mimi_core.runs.status import read_status
from mimi_core.runs.store import Store
from tests.torture.material import PACK

Reader = Callable[[Path], object]


def list_page(run: Path) -> None:
    """`ls`, Home and Runs."""
    store = Store(run.parent)
    listed = store.list()
    table = runs_table((one, False) for one in listed)
    filtered(table, Filters(text="demo", group=""))
    members = [(one, config) for one in listed if (config := _config(store, one.id))]
    variants(members)
    groups_table(by_group(members))
    queued(store)
    for one in listed:
        cards.key_numbers(one, store.state(one.id))
        cards.finding_so_far(one, store.state(one.id))
        cards.why_no_picture(one, store.state(one.id))
        cards.rain_picture(store.state(one.id), colour_scale(None))


def _config(store: Store, run_id: str) -> RunConfig | None:
    with suppress(MimiError):
        return store.config(run_id)
    return None


def monitor_page(run: Path) -> None:
    store = Store(run.parent)
    state, status, config = store.state(run.name), store.status(run.name), _config(store, run.name)
    store.log_tail(run.name)
    if status is not None:
        cards.doing(status)
        describe_death(status)
    if config is not None:
        signs_of_failure(state, config)
        steps = total_steps(state, config)
        accuracy_chart(steps, state.total_cuts)
        loss_chart(steps)
        differences(config, RunConfig())
        to_yaml(config)
    curves_table(state)


def widths_page(run: Path) -> None:
    state = Store(run.parent).state(run.name)
    if not state.widths:
        return
    widths, cycles = tables.widths_table(state), tables.cycles_table(state)
    tables.removed_table(widths)
    gain.sentence(state, probe.read(run))
    for cycle in range(len(state.cuts) + 1):
        widths_words.headline(widths, cycle)
        widths_words.story(widths, cycles, cycle)
    if len(widths):
        heatmap_figure(widths, cycles, colour_scale(None), cuts=state.total_cuts)


def why_page(run: Path) -> None:
    state = Store(run.parent).state(run.name)
    named = layers(state.sites)
    for cycle in range(1, len(state.cuts) + 1):
        try:
            cut = read_cut(run, state, cycle)
        except MimiError:
            continue
        real = why.as_it_was(cut)
        table = why.layers_table(named, real, real)
        why_words.title(table, cycle)
        why_words.because(table, real)
        neurons = why.neurons_table(named, real, real)
        why.nearest_table(neurons, real.settings.scope)
        why.ranked_table(why.thinned_neurons(neurons))
        rho = why.rhos(cut)
        other = why.what_if(cut, real.settings)
        why.overlap(real, other)
        assert rho
        if len(table):
            why_words.of_layer(table, table["site"].iloc[0], real)
            why_figures.scores_figure(neurons, table, threshold=real.threshold, unit="", height=99)
            why_figures.widths_what_if_figure(table, height=99)
        why_figures.damage_figure(tables.cycles_table(state), cycle)


def predictions_page(run: Path) -> None:
    state = Store(run.parent).state(run.name)
    seen = predictions.read_predictions(run, state)
    cells = predictions.cells_table(seen.probabilities, seen.cycles, seen.gallery.label.tolist(), seen.class_names)
    images = predictions.images_table(cells)
    predictions.title(images, seen.cycles)
    predictions.sentence(images, cells, len(state.cuts))
    predictions.cuts_table(cells)
    predictions.pictures_table(seen, [0], ["", *[""] * len(seen.gallery.index)])
    predictions.shares_table(seen.probabilities[:, 0], seen.cycles, seen.class_names, int(seen.gallery.label[0]))


def report(run: Path) -> None:
    run_report(Store(run.parent), run.name)


def gallery(run: Path) -> None:
    for cycle in predicted_cycles(run, 4):
        read_probabilities(run, cycle, read_gallery(run), 10)


def cut_scores(run: Path) -> None:
    state = Store(run.parent).state(run.name)
    for cycle in range(len(state.cuts)):
        alive = {site: n for site, n in state.widths[cycle].items() if n}
        scores.read_end(run, cycle, alive)


def resume(run: Path) -> None:
    for _ in safe_state.candidates(run):
        pass


def branches(run: Path) -> None:
    store = Store(run.parent)
    state = store.state(run.name)
    for cycle in branch.cycles(state):
        branch.changed(store.config(run.name), state, run.name, cycle, [])


def log_of_events(run: Path) -> None:
    for line in (run / "events.jsonl").read_bytes().splitlines():
        if event := parse_line(line):
            describe(event)


def state_of(run: Path) -> RunState:
    return Store(run.parent).state(run.name)


def weights(run: Path) -> None:
    for saved in saved_files(run, 4):
        read_saved(cycle_weights.path_of(run, saved.cycle))
        cycle_weights.read(run, saved.cycle)


def pack(run: Path) -> None:
    unpack(run / PACK, run / "resume")


PAGES: tuple[Reader, ...] = (list_page, monitor_page, widths_page, why_page, predictions_page, branches)
READERS: dict[str, tuple[Reader, ...]] = {
    "config.yaml": (*PAGES, report),
    "events.jsonl": (*PAGES, log_of_events, cut_scores, report),
    "status.json": (read_status, list_page, monitor_page, report),
    "cycles/1/scores.npz": (why_page, cut_scores),
    "cycles/4/end_scores.npz": (cut_scores,),
    "cycles/1/predictions.npz": (gallery, predictions_page),
    "gallery.npz": (gallery, predictions_page),
    "cycles/1/adapters.safetensors": (weights,),
    "resume/newest.safetensors": (resume,),
    "fingerprint.json": (fingerprint.read,),
    "probe.json": (probe.read, widths_page),
    "log.txt": (monitor_page,),
    PACK: (pack,),
}
"""Of every kind of file, by its name in a run folder."""
