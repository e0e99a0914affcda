"""`mimi damage`: the neurons of a layer, on the command line."""

import json
import shutil
from pathlib import Path

import numpy as np

from mimi_core.analysis.common.labels import layers
from mimi_core.runs.formats.damage import read
from mimi_core.runs.jobs.neuron_damage import neuron_damage
from mimi_core.runs.store import Store
from tests.export.conftest import Mimi


def test_a_layer_is_named_either_way_and_told_neuron_by_neuron(pruned: Path, store: Store, mimi: Mimi) -> None:
    state = store.state(pruned.name)
    layer = min((one for one in layers(state.sites) if state.widths[1][one.site]), key=lambda one: one.token_width)
    told = mimi(
        "damage", pruned.name, "--runs", str(pruned.parent), "--layer", layer.site, "--cycle", "0", "--json"
    )  # fmt: skip
    found = neuron_damage(told.out)
    assert (found.site, found.cycle, len(found.error)) == (layer.site, 0, state.widths[0][layer.site])
    assert found.loss == read(pruned, 1).loss, "on the images that the run looked at"
    stages = [line for line in told.err.splitlines() if line.startswith("stage: ")]
    assert stages[-1] == "stage: 100 % done"
    few = mimi(
        "damage", pruned.name, "--runs", str(pruned.parent), "--layer", layer.label, "--cycle", "0", "--images", "5",
        "--json",
    )  # fmt: skip
    assert json.loads(few.out)["images"] == 5
    table = mimi("damage", pruned.name, "--runs", str(pruned.parent), "--layer", layer.label, "--cycle", "0").out
    rows = [line.split() for line in table.splitlines()[1 : 1 + len(found.error)]]
    damage = [float(row[1]) for row in rows]
    assert damage == sorted(damage, reverse=True)
    assert np.allclose(sorted(found.of_loss, reverse=True), damage, atol=1e-5)
    assert {row[-1] for row in rows} <= {"lost", "kept"}
    assert "Damage: by how much the cross entropy on" in table


def test_without_a_cycle_it_is_the_last_in_which_the_layer_has_an_adapter(
    pruned: Path, store: Store, mimi: Mimi
) -> None:
    state = store.state(pruned.name)
    last = len(state.cuts)
    stays = next(site for site, neurons in state.widths[last].items() if neurons)
    told = mimi("damage", pruned.name, "--runs", str(pruned.parent), "--layer", stays, "--images", "4").out
    assert f"No cut followed cycle {last}" in told
    gone, cut = next(iter(state.removed_at.items()))
    found = neuron_damage(
        mimi("damage", pruned.name, "--runs", str(pruned.parent), "--layer", gone, "--images", "4", "--json").out
    )
    assert found.cycle == cut - 1


def test_what_cannot_be_measured_is_one_line(pruned: Path, store: Store, mimi: Mimi, tmp_path: Path) -> None:
    runs = ["--runs", str(pruned.parent)]
    site = store.state(pruned.name).sites[0].name
    assert "has no layer 'nothing'; it has 24" in mimi("damage", pruned.name, *runs, "--layer", "nothing", code=1).err
    assert "is missing" in mimi("damage", pruned.name, *runs, "--layer", site, "--cycle", "77", code=1).err
    other = tmp_path / pruned.name
    shutil.copytree(pruned, other)
    kept = json.loads((other / "fingerprint.json").read_text())
    kept["splits"]["val"]["sha256"] = "0"
    (other / "fingerprint.json").write_text(json.dumps(kept))
    told = mimi("damage", other.name, "--runs", str(tmp_path), "--layer", site, "--cycle", "0", code=1)
    assert "had other images" in told.err
