"""VPT-Shallow: prompts go in before the first block and out behind the last (Jia et al. 2022, arXiv 2203.12119)."""

from mimi_core.methods.vpt import tuned

METHOD = tuned(deep=False)
