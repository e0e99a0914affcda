"""A run at a glance: what its card says, and its picture. Pure functions; plain text, escaped by whoever shows it."""

from mimi_core.analysis.common import svg, tables
from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.theme import Scale
from mimi_core.analysis.common.words import compact, count, duration, percent
from mimi_core.analysis.compare.design import worded
from mimi_core.analysis.widths import words as sentences
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED, WITH_A_MESSAGE, Status
from mimi_core.runs.store import RunSummary


def finding_so_far(run: RunSummary, state: RunState) -> tuple[str, str]:
    """What a run has found so far: a headline and a few sentences. Empty texts before it has begun."""
    if not state.started:
        return "", ""
    if state.total_cuts:
        widths, done = tables.widths_table(state), len(state.cuts)
        return sentences.headline(widths, done), sentences.story(widths, tables.cycles_table(state), done)
    what = worded("method", run.method)
    headline = f"{what[0].upper()}{what[1:]}: nothing is cut"
    reached = "" if run.accuracy is None else f"Test accuracy is {percent(run.accuracy)}. "
    adapters = f"{count(run.sites, 'adapter')} with {count(run.neurons, 'neuron')}, and " if run.sites else ""
    return headline, f"{reached}{adapters}{count(state.started.trained_parameters, 'parameter')} are trained."


def key_numbers(run: RunSummary, state: RunState) -> dict[str, str]:
    """Up to three numbers with what they are, most wanted first. What is not known yet is left out."""
    numbers = {}
    if run.accuracy is not None:
        numbers["accuracy"] = percent(run.accuracy)
    if run.trained_parameters is not None and state.started:
        start = state.started.trained_parameters
        if state.cuts and start:
            numbers["of parameters"] = percent(run.trained_parameters / start)
        else:
            numbers["parameters"] = compact(run.trained_parameters)
    if state.cuts:
        numbers["matrices without ranks" if state.decides_ranks else "adapters gone"] = f"{run.removed} of {run.sites}"
    elif run.sites:
        numbers["adapters"] = str(run.sites)
    return numbers


def rain_picture(state: RunState, scale: Scale, size: tuple[int, int] = (300, 78)) -> tuple[str, str] | None:
    """The widths of a run as a small SVG, and the same in words; None for a run without adapters."""
    if not state.widths or not state.sites:
        return None
    done, gone = len(state.cuts), len(state.removed_at)
    if state.decides_ranks:
        said = f"{len(state.sites)} matrices: {gone or 'none'} without ranks."
    else:
        said = f"{count(len(state.sites), 'layer')} over {count(done, 'cut')}: {count(gone, 'adapter')} gone."
    drawn = svg.rain(layers(state.sites), state.widths, max(state.total_cuts, done), said, "rain", size=size)
    return svg.to_text(drawn, svg.rules(scale) + svg.ACCENTS), said


def doing(status: Status) -> str:
    """Where a live run is, in one line."""
    phase = status.shown_phase
    if phase in ENDED:
        return phase
    if phase == "queued":
        return "waiting for a free slot"
    parts: list[str] = [phase]
    if status.cycles:
        parts.append(f"after cut {status.cycle} of {status.cycles}" if status.cycle else "before the first cut")
    if status.eta_seconds is not None:
        parts.append(f"{duration(status.eta_seconds)} left")
    return " · ".join(parts)


def why_no_picture(run: RunSummary, state: RunState) -> str:
    """What stands in the place of the picture."""
    if run.message and run.phase in WITH_A_MESSAGE:
        return run.message
    if state.started:
        return f"No adapters: {worded('method', run.method)}."
    return {
        "queued": "Waiting for a free slot.",
        "died": "Its worker was gone before anything was trained.",
    }.get(run.phase, "No widths yet." if run.phase in ENDED else "Loading data and backbone …")
