"""Backbones: loading them, the bundled one, CvT, the families that are tested, and timm beside a CPU torch."""
