"""MiMi: adapters that start wide and lose their least important neurons in cycles (arXiv 2311.03873)."""

from mimi_core.methods.adapter import prepare
from mimi_core.methods.method import Method

METHOD = Method(prepare)
