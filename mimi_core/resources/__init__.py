"""What the library itself needs at run time: the bundled backbone, example runs, published results."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
BACKBONES = {
    "demo": HERE / "demo_backbone.safetensors",
    "demo-half-0": HERE / "half_backbone_0.safetensors",
    "demo-half-1": HERE / "half_backbone_1.safetensors",
}
"""Bundled backbones, all of one architecture, by `backbone.name`. Those of `half` saw five of Fashion-MNIST's classes,
so that the others are a task for them; they are what docs/study-plan.md asks for."""
DEMO_BACKBONE = BACKBONES["demo"]
EXAMPLES = HERE / "examples"
"""A folder of finished runs, to look at before there are any of one's own."""
REFERENCES = HERE / "references.yaml"
"""Published results, with their sources."""
