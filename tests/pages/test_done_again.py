"""Widths: one config done twice, and how much seeds differ."""

from mimi_core.analysis.widths import again
from mimi_core.config import make_config
from mimi_core.runs.events import RunState
from mimi_core.runs.formats.fingerprint import Fingerprint, SplitPrint
from mimi_core.runs.store import Store
from tests.analysis.test_analysis import state_of
from tests.pages.opening import MakeRun, Open, texts
from tests.recorded import vit_sites

SITES = vit_sites(2)


def run(last: list[int], *, cuts: int = 1, **values: object) -> RunState:
    """A run of four layers of 4 neurons, with these widths at its end."""
    state = state_of([[4, 4, 4, 4], last], SITES, {})
    assert state.started
    config = make_config({"prune": {"rho": 0.5}, **values}, preset="demo").model_dump(mode="json")
    state.started = state.started.model_copy(update={"config": config, "keep_fractions": [0.5] * cuts})
    return state


def test_one_config_done_twice_says_what_differed(open_page: Open, make_run: MakeRun, store: Store) -> None:
    first, second = make_run(seed=0), make_run(seed=7)
    events = store.folder(second) / "events.jsonl"
    old, new = b'"device":"cpu"', b'"device":"CPU, 1 thread"'
    assert old in events.read_bytes()
    events.write_bytes(events.read_bytes().replace(old, new))
    said = texts(open_page("widths", run=first)).replace("\\", "")
    assert f"The same settings and seed once more ({second[-4:]}) ended otherwise: " in said
    assert "What differs: device: cpu here, CPU, 1 thread there." in said
    assert "order sums are made" in said
    assert "once more" not in texts(open_page("widths", run=make_run(make_config(preset="demo", sets=["seed=4"]))))


def test_two_runs_that_ended_alike_are_said_to() -> None:
    one, other = run([2, 0, 1, 0]), run([2, 0, 1, 0])
    said = again.twin_in_words(again.TwinRun("a", one, None), again.TwinRun("b", other, None))
    assert said == "The same settings and seed once more (b) ended the same, neuron by neuron."
    assert one.started
    one.started = one.started.model_copy(update={"versions": {"torch": "1"}})
    other.started = one.started.model_copy(update={"versions": {"torch": "2"}})
    said = again.twin_in_words(again.TwinRun("a", one, None), again.TwinRun("b", other, None))
    assert said.endswith("though these differ: torch: 1 here, 2 there.")
    assert (
        "nothing that is recorded differs"
        in again.twin_in_words(
            again.TwinRun("a", run([2, 0, 1, 0]), None), again.TwinRun("b", run([2, 1, 1, 0]), None)
        ).lower()
    )


def test_how_much_seeds_differ_is_said_in_numbers() -> None:
    assert again.spread([run([2, 0, 1, 0]), run([1, 0, 0, 0], seed=1)]) == (
        "Over these 2 seeds 2 to 3 of 4 adapters were lost."
    )


def test_other_images_are_named_among_the_differences() -> None:
    def images(sha: str) -> Fingerprint:
        split = SplitPrint(images=(1,), sha256=sha)
        return Fingerprint(backbone=None, class_names=("a",), splits={"train": split})

    this, other = again.TwinRun("a", run([2, 0, 1, 0]), images("x")), again.TwinRun("b", run([2, 1, 1, 0]), images("y"))
    assert again.differing(this, other) == ["the images: other files, or other numbers of them"]
    assert again.differing(this, again.TwinRun("b", run([2, 1, 1, 0]), None)) == []
