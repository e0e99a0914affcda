"""What a cut costs and what it saves: 24 adapters of the bundled backbone at halving widths.

    python -m benchmarks.cut

Medians of several, as ratios against the start in the same process. Writes results/cut.json.
"""

import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from mimi_core.adapters.attach import adapters_of, attach
from mimi_core.adapters.shrink import carry_state, shrink
from mimi_core.adapters.sites import find_sites
from mimi_core.backbones.loading import load_backbone
from mimi_core.budget import initial_width
from mimi_core.config import AdapterConfig, BackboneConfig, TrainConfig
from mimi_core.scores.watching import Watcher, score_all
from mimi_core.select import normalise, select
from mimi_core.train.optim import make_optimizer

SIGMA_0, CUTS, STEPS, BATCH = 1, 6, 12, 32


def main() -> None:
    backbone = load_backbone(BackboneConfig(name="demo"), num_classes=10)
    model, device = backbone.model.eval(), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    sites = find_sites(model, backbone.image_size)
    initial = {site.name: initial_width(site.width, SIGMA_0) for site in sites}
    attach(model, sites, initial, AdapterConfig(sigma_0=SIGMA_0), torch.Generator().manual_seed(0))
    optimizer, watcher = make_optimizer(model, TrainConfig(lr=1e-3)), Watcher(adapters_of(model))
    images = torch.randn(BATCH, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.arange(BATCH, device=device) % 10
    token_widths = {site.name: site.width for site in sites}

    def step() -> float:
        started = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    rows: list[dict[str, Any]] = []
    cut_seconds = 0.0
    for cut in range(CUTS + 1):
        if cut:
            started = time.perf_counter()
            scores = normalise(
                score_all(adapters_of(model), watcher.seen, np.random.default_rng(0))["mimi"],
                token_widths,
                "per_parameter",
            )
            carry_state(optimizer, shrink(model, select(scores, initial, 0.5**cut, "global")))
            cut_seconds = time.perf_counter() - started
            watcher.close()
            watcher = Watcher(adapters_of(model))
        step()
        adapters = adapters_of(model)
        tensors = {
            f"{site}.{name}": p.detach().cpu() for site, a in adapters.items() for name, p in a.named_parameters()
        }
        with tempfile.TemporaryDirectory() as folder:
            save_file(tensors, Path(folder) / "adapters.safetensors")
            size = (Path(folder) / "adapters.safetensors").stat().st_size
        rows.append(
            {
                "cut": cut,
                "neurons": sum(a.hidden_width for a in adapters.values()),
                "adapters": len(adapters),
                "parameters": sum(p.numel() for p in tensors.values()),
                "file_bytes": size,
                "step_seconds": statistics.median(step() for _ in range(STEPS)),
                "cut_seconds": cut_seconds,
            }
        )
    bare = load_backbone(BackboneConfig(name="demo"), num_classes=10).model.to(device).eval()
    bare.requires_grad_(False)
    bare.get_classifier().requires_grad_(True)  # type: ignore[operator]
    model, optimizer = bare, torch.optim.AdamW([p for p in bare.parameters() if p.requires_grad])
    step()
    floor = statistics.median(step() for _ in range(STEPS))
    hardware = (
        f"{platform.machine()}, {torch.get_num_threads()} threads"
        if device.type == "cpu"
        else torch.cuda.get_device_name()
    )
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "hardware": hardware,
        "torch": torch.__version__,
        "floor_step_seconds": floor,
        "rows": rows,
    }
    (Path(__file__).parent / "results" / f"cut-{device.type}.json").write_text(json.dumps(found, indent=1) + "\n")
    print("cut  neurons  adapters  parameters  file KiB   step / start   step ms   cut ms")
    for row in rows:
        print(
            f"{row['cut']:3}  {row['neurons']:7}  {row['adapters']:8}  {row['parameters']:10,}"
            f"  {row['file_bytes'] / 1024:8.0f}  {row['step_seconds'] / rows[0]['step_seconds']:13.2f}"
            f"  {1000 * row['step_seconds']:8.1f}  {1000 * row['cut_seconds']:7.1f}"
        )
    print(f"head alone (the backbone without backward): {floor / rows[0]['step_seconds']:.2f} of the first step")


if __name__ == "__main__":
    main()
