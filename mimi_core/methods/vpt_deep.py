"""VPT-Deep: every block has prompts of its own (Jia et al. 2022, arXiv 2203.12119)."""

from mimi_core.methods.vpt import tuned

METHOD = tuned(deep=True)
