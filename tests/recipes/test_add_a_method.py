"""The recipe for a method, carried out: one new file, and its entry in the catalogue."""

import json

import pytest

from tests.conftest import QUICK

from .conftest import House

FILE, CATALOGUE = "mimi_core/methods/few_biases.py", "mimi_core/config/methods.py"
METHOD = '''
"""The first biases train, with the head: a method for a test."""

from torch import Generator, nn

from mimi_core.adapters.attach import freeze_all_but_head
from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig
from mimi_core.methods.method import Method


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    biases = [parameter for name, parameter in model.named_parameters() if name.endswith("bias")]
    freeze_all_but_head(model)
    for bias in biases[: config.peft.rank]:
        bias.requires_grad_(True)
    return []


METHOD = Method(prepare, adds=False)
'''
ENTRY = """
    MethodEntry(
        name="few_biases",
        label="few biases",
        words="The first biases train, as many as peft.rank says.",
        source="a test",
        uses=("peft.rank",),
        short={"few": {}},
    ),
"""
LOOK = """
import json, sys
from mimi_core.analysis.compare.design import design
from mimi_core.analysis.launch.words import methods_explained
from mimi_core.analysis.overview.groups import variants
from mimi_core.config.identity import UNUSED, used_values
from mimi_core.config.settings import settings
from mimi_core.runs.store import Store
from pathlib import Path

store = Store(Path(RUNS))
members = [(run, store.config(run.id)) for run in store.list()]
values = [used_values(config) for _, config in members]
how = design(values)
print(json.dumps({
    "choices": settings()["method"].choices,
    "phases": [run.phase for run, _ in members],
    "methods": [run.method for run, _ in members],
    "parameters": [run.trained_parameters for run, _ in members],
    "unused": [path for path in ("peft.alpha", "prune.rho", "adapter.sigma_0") if values[0][path] == UNUSED],
    "fields": how.fields,
    "labels": list(how.labels.values()),
    "variants": [len(variant.runs) for variant in variants(members)],
    "words": methods_explained(["few_biases"]),
    "torch": "torch" in sys.modules,
}))
"""


@pytest.mark.slow
def test_a_method_is_one_new_file_and_its_entry(house: House) -> None:
    house.add(FILE, METHOD)
    catalogue = house.folder / CATALOGUE
    before = catalogue.read_text(encoding="utf-8")
    end = before.index(")\nMETHODS:")
    catalogue.write_text(f"{before[:end]}{ENTRY.strip(chr(10))}\n{before[end:]}", encoding="utf-8")
    refused = house.mimi("run", "--preset", "quick", "--set", "method=few_biasses", "--runs", str(house.runs))
    assert refused.returncode != 0
    assert "did you mean 'few_biases'" in refused.stderr
    assert "few_biases" in house.mimi("check", "--help").stdout
    once = [word for line in (*QUICK, "train.epochs=1") for word in ("--set", line)]
    for name, rank in (("few_biases", 4), ("few", 8)):
        sets = ["--set", f"method={name}", "--set", f"peft.rank={rank}", "--runs", str(house.runs)]
        done = house.mimi("run", "--preset", "quick", *once, *sets)
        assert done.returncode == 0, done.stderr
    told = json.loads(house.python(f"RUNS = {str(house.runs)!r}\n{LOOK}"))
    assert told["choices"][-1] == "few_biases"
    assert told["phases"] == ["finished", "finished"]
    assert told["methods"] == ["few_biases", "few_biases"]
    assert len(set(told["parameters"])) == 2, "it did what its setting says"
    assert told["unused"] == ["peft.alpha", "prune.rho", "adapter.sigma_0"]
    assert told["fields"] == ["peft.rank"]
    assert told["labels"] == ["rank 4", "rank 8"]
    assert told["variants"] == [1, 1], "two ranks are never taken for two runs of one setting"
    assert told["words"] == "**few biases**: The first biases train, as many as peft.rank says."
    assert not told["torch"]
    assert house.changed() == {FILE, CATALOGUE}
