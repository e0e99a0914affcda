"""DoRA: LoRA with its columns' lengths trained apart, with PEFT (Liu et al. 2024, arXiv 2402.09353)."""

from functools import partial

from mimi_core.methods import lora
from mimi_core.methods.peft import method

METHOD = method(partial(lora.lora_settings, dora=True))
