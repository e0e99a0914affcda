"""Saved cycles as models again: to predict with, to take along, to hand to other programs."""

from mimi_core.export.pack import load_pack

__all__ = ["load_pack"]
