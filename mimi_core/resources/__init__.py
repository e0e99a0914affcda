"""What the library itself needs at run time: the bundled backbone, example runs, published results."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
DEMO_BACKBONE = HERE / "demo_backbone.safetensors"
EXAMPLES = HERE / "examples"
"""A folder of finished runs, to look at before there are any of one's own."""
REFERENCES = HERE / "references.yaml"
"""Published results, with their sources."""
