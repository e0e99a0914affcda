"""Everything a run works with, made from its config: data on the device, the model, its adapters."""

import gc
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mimi_core.adapters.attach import adapters_of, head_parameters
from mimi_core.adapters.sites import Site
from mimi_core.backbones.loading import load_backbone
from mimi_core.budget import Plan, plan, planned_away
from mimi_core.config import DataConfig, RunConfig
from mimi_core.config.site_widths import TakenWidths
from mimi_core.data import Dataset, load
from mimi_core.data.levels import explicit
from mimi_core.data.pixels import Pixels, prepare
from mimi_core.data.unused import in_words
from mimi_core.errors import ConfigError, RunError
from mimi_core.methods import implementation
from mimi_core.methods.method import Method
from mimi_core.runs.formats.gallery import kept_levels
from mimi_core.runs.recorder import AnyRecorder
from mimi_core.train import needs
from mimi_core.train.evaluate import Vision
from mimi_core.train.fetch import fetch_missing
from mimi_core.train.randomness import Purpose, derive, torch_generator


@dataclass
class Setup:
    config: RunConfig
    method: Method
    model: nn.Module
    sites: list[Site]
    plan: Plan
    dataset: Dataset
    image_size: int
    train: Pixels
    val: Pixels
    test: Pixels
    vision: Vision
    device: torch.device
    warnings: list[str]

    @property
    def token_widths(self) -> dict[str, int]:
        return {site.name: site.width for site in self.sites}

    @property
    def backbone_parameters(self) -> int:
        """Of the model as it came: neither the head's nor what the method added."""
        counts = parameter_counts(self.model)
        added = counts["trained"] - counts["head"] if self.method.adds else 0
        return sum(p.numel() for p in self.model.parameters()) - counts["head"] - added


def choose_device(wanted: str) -> torch.device:
    """Raises ConfigError for a GPU that is not there."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"train.device={wanted}: there are {torch.cuda.device_count()} GPUs here; use auto or cpu")
    return device


def build_model(
    config: RunConfig, num_classes: int, trains_on: torch.device | None = None
) -> tuple[nn.Module, list[Site], int, Vision, list[str]]:
    """Backbone with its head and, for methods that use them, adapters: on the CPU, weights decided by the seed alone.

    Args:
        trains_on: where the model will train; None: it will only be asked.

    Returns:
        model, sites, image size in pixels, vision, warnings.

    Raises:
        ResourceError: memory does not suffice; told before it is allocated.
    """
    backbone = load_backbone(config.backbone, num_classes, derive(config.seed, Purpose.HEAD), config.train.drop_path)
    needs.foresee(backbone.model, config, backbone.image_size, needs.Free.of(trains_on))
    generator = torch_generator(adapter_seed(config), Purpose.ADAPTERS)
    method = implementation(config.method)
    sites = method.prepare(backbone.model, config, backbone.image_size, generator)
    vision = Vision(torch.tensor(backbone.mean), torch.tensor(backbone.std), autocast=False)
    return backbone.model, sites, backbone.image_size, vision, list(backbone.warnings)


def adapter_seed(config: RunConfig) -> int:
    """Of the adapters' initial weights: the run's own, or that of the run whose neurons are rewound."""
    widths = config.adapter.widths
    rewound = widths.rewound if isinstance(widths, TakenWidths) else None
    return rewound.seed if rewound else config.seed


def set_up(config: RunConfig, recorder: AnyRecorder) -> Setup:
    """Load everything. Bad input ends here, before any training.

    Raises:
        MimiError: of the kind that fits what is wrong.
    """
    device = choose_device(config.train.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)  # of runs that this process did before
    recorder.update(phase="loading", message="reading the dataset", device=device_name(device))
    fetch_missing(config.data, lambda what: recorder.update(message=what))
    dataset = load(
        as_begun(config.data, recorder.run),
        lambda done, all_: recorder.update(message=f"checking images: {done} of {all_}"),
    )
    recorder.update(message="loading the backbone")
    model, sites, image_size, vision, warnings = build_model(config, len(dataset.class_names), device)
    needs.refuse(model, config, image_size, needs.Free.of(device))
    model.to(device)
    autocast = config.train.precision == "bf16" or (config.train.precision == "auto" and device.type == "cuda")
    vision = Vision(vision.mean.to(device), vision.std.to(device), autocast)
    pixels = []
    for name in ("train", "val", "test"):
        split = getattr(dataset, name)
        tell = _teller(recorder, name)
        pixels.append(prepare(split, image_size, device, config.train.workers, tell, _there(recorder.run)))
    recorder.update(message="")
    gc.collect()
    if dataset.skipped:
        shown = "; ".join(dataset.skipped[:5])
        warnings.append(f"left out because they could not be used, {len(dataset.skipped)} in all: {shown}")
    warnings += [*in_words(dataset.unused), *dataset.remarks]
    neurons = sum(adapter.hidden_width for adapter in adapters_of(model).values())
    if told := planned_away(config, neurons, [site.width for site in sites]):
        warnings.append(told)
    return Setup(
        config=config,
        method=implementation(config.method),
        model=model,
        sites=sites,
        plan=plan(config, neurons),
        dataset=dataset,
        image_size=image_size,
        train=pixels[0],
        val=pixels[1],
        test=pixels[2],
        vision=vision,
        device=device,
        warnings=warnings,
    )


def as_begun(data: DataConfig, run: Path) -> DataConfig:
    """With what a run that goes on found out when it began: how its 16-bit images are read."""
    levels = None
    if explicit(data.range) is None:
        with suppress(RunError):  # a broken gallery: then they are found out anew
            levels = kept_levels(run)
    return data.model_copy(update={"range": f"[{levels.black}, {levels.white}]"}) if levels else data


def _there(path: Path) -> Path:
    """The path, or the nearest folder above it that there is."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())


def _teller(recorder: AnyRecorder, split: str):  # type: ignore[no-untyped-def]
    return lambda done, all_: recorder.update(message=f"preparing {split} images: {done} of {all_}")


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)}"


def processor_name() -> str:
    """The model of this machine's processor; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def device_in_full(device: torch.device) -> str:
    """With the model of processor, which decides in which order sums are made: for a run's record."""
    name = processor_name() if device.type == "cpu" else ""
    return f"{device_name(device)}, {name}" if name else device_name(device)


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Numbers of parameters: head, adapters, trained (whatever the method trains, head included)."""
    adapters = sum(p.numel() for adapter in adapters_of(model).values() for p in adapter.parameters())
    head = sum(p.numel() for p in head_parameters(model))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"head": head, "adapters": adapters, "trained": trained}
