"""What `import mimi_core` gives, and adapters in a training loop of one's own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import mimi_core
from mimi_core.adapters.attach import adapters_of
from mimi_core.errors import BudgetError, MimiError
from tests.adapters.conftest import EDGE, SITES, tiny_vit


def test_every_name_is_there_and_the_same_as_at_home() -> None:
    from mimi_core.config import RunConfig
    from mimi_core.train.cycle import run

    for name in mimi_core.__all__:
        assert getattr(mimi_core, name) is not None
    assert set(mimi_core.__all__) <= set(dir(mimi_core))
    assert mimi_core.RunConfig is RunConfig
    assert mimi_core.run is run
    assert mimi_core.MimiError is MimiError
    assert callable(mimi_core.select.select)
    with pytest.raises(AttributeError, match="runn"):
        mimi_core.runn  # type: ignore[attr-defined]  # noqa: B018


def test_nothing_is_imported_before_it_is_used() -> None:
    script = (
        "import sys, mimi_core; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules), 'at once'; "
        "mimi_core.make_config, mimi_core.Store, mimi_core.select.select; assert 'torch' not in sys.modules; "
        "from mimi_core import select; print(select.__name__)"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=False)
    assert (done.stdout.strip(), done.stderr) == ("mimi_core.select", "")


def step(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(images), torch.arange(len(images)) % 4).backward()
    optimizer.step()


def test_a_loop_of_ones_own_trains_and_cuts() -> None:
    model = tiny_vit()
    images = torch.randn(8, 3, EDGE, EDGE, generator=torch.Generator().manual_seed(2))
    config = mimi_core.make_config(sets=["adapter.sigma_0=4"]).adapter
    start = mimi_core.attach_adapters(model, EDGE, config)
    assert start == dict.fromkeys(SITES, 6)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    step(model, optimizer, images)
    scores = {site: np.arange(6.0) if site != SITES[2] else np.zeros(6) for site in SITES}
    scores[SITES[2]] -= 1
    moments = {p: state["exp_avg"] for p, state in optimizer.state.items()}
    down = adapters_of(model)[SITES[0]].down
    left = mimi_core.cut(model, start, 0.5, optimizer, scores)
    assert left == {SITES[0]: 4, SITES[1]: 4, SITES[2]: 0, SITES[3]: 4}
    assert mimi_core.widths(model) == {site: n for site, n in left.items() if n}
    shrunk = adapters_of(model)[SITES[0]].down
    assert torch.equal(shrunk, down[2:])
    assert torch.equal(optimizer.state[shrunk]["exp_avg"], moments[down][2:])
    step(model, optimizer, images)
    before = mimi_core.widths(model)
    with pytest.raises(BudgetError):
        mimi_core.cut(model, start, 0.9, optimizer)
    assert mimi_core.widths(model) == before
    assert sum(mimi_core.cut(model, start, 0.25, optimizer).values()) == 6


def test_without_scores_the_smallest_weights_go() -> None:
    model = tiny_vit()
    start = mimi_core.attach_adapters(model, EDGE, mimi_core.make_config(sets=["adapter.sigma_0=4"]).adapter)
    adapter = adapters_of(model)[SITES[1]]
    with torch.no_grad():
        for row, size in enumerate((3.0, 0.0, 2.0, 0.0, 0.0, 1.0)):
            adapter.down[row], adapter.up[:, row] = size, size
    mimi_core.cut(model, start, 0.5, scope="local")
    assert adapter.down[:, 0].tolist() == [3.0, 2.0, 1.0]
