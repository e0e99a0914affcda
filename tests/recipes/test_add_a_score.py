"""The recipe for a score, carried out: one new file, and nothing else is touched."""

import json

import pytest

from tests.conftest import QUICK

from .conftest import House

FILE = "mimi_core/scores/kinds/up_only.py"
SCORE = '''
"""The other half of the paper's score."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return adapter.up.abs().sum(0)


SCORE = Score(
    name="up_only",
    label="up-only",
    words="sum of the absolute weights out of the neuron alone",
    formula="sum_k |up[k,j]|",
    source="a test",
    known="from weights",
    score=score,
)
'''
LOOK = """
    import json, sys
    from mimi_core.config.settings import settings
    from mimi_core.runs.store import Store
    from mimi_core.analysis.compare.design import design
    from mimi_core.config.identity import used_values
    from mimi_core.analysis.why.cut_scores import read_cut
    from mimi_core.analysis.why.tables import as_it_was, same_survivors, what_if
    from mimi_core.analysis.why.words import scores_explained
    from dataclasses import replace
    from pathlib import Path

    store = Store(Path(RUNS))
    runs = [run for run in store.list()]
    configs = [store.config(run.id) for run in runs]
    mine = next(run for run, config in zip(runs, configs) if config.prune.score == "up_only")
    cut = read_cut(mine.folder, store.state(mine.id), 1)
    again = what_if(cut, cut.real)
    other = what_if(cut, replace(cut.real, score="mimi"))
    how = design([used_values(config) for config in configs])
    print(json.dumps({
        "choices": settings()["prune.score"].choices,
        "phases": [run.phase for run in runs],
        "decided": cut.real.score,
        "same": same_survivors(again, as_it_was(cut)),
        "kept": [again.kept, other.kept],
        "words": scores_explained(cut.raw),
        "fields": how.fields,
        "labels": list(how.labels.values()),
        "torch": "torch" in sys.modules,
    }))
"""


@pytest.mark.slow
def test_a_score_is_one_new_file(house: House) -> None:
    house.add(FILE, SCORE)
    sets = [word for line in QUICK for word in ("--set", line)]
    refused = house.mimi("run", "--preset", "quick", "--set", "prune.score=up_onlyy", "--runs", str(house.runs))
    assert refused.returncode != 0
    assert "did you mean 'up_only'" in refused.stderr
    assert "up_only" in house.mimi("run", "--help").stdout
    for score in ("up_only", "mimi"):
        done = house.mimi("run", "--preset", "quick", *sets, "--set", f"prune.score={score}", "--runs", str(house.runs))
        assert done.returncode == 0, done.stderr
    told = json.loads(house.python(f"RUNS = {str(house.runs)!r}\n" + "\n".join(s[4:] for s in LOOK.splitlines())))
    assert told["choices"][-1] == "up_only"
    assert told["phases"] == ["finished", "finished"]
    assert (told["decided"], told["same"]) == ("up_only", True)
    assert told["kept"][0] == told["kept"][1] > 0
    assert "**up-only**: sum of the absolute weights out of the neuron alone." in told["words"]
    assert told["fields"] == ["prune.score"]
    assert sorted(told["labels"]) == ["MiMi score", "up-only score"]
    assert not told["torch"]
    assert house.changed() == {FILE}
