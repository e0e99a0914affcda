"""Datasets by name: a catalogue of sources, one small module each. No torch (but in `pixels`, for the worker)."""

from mimi_core.data.catalogue import known, missing, named
from mimi_core.data.loading import load, scan
from mimi_core.data.types import Dataset, Split

__all__ = ["Dataset", "Split", "known", "load", "missing", "named", "scan"]
