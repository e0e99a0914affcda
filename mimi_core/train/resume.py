"""What a run needs to go on as if nothing had happened, as plain arrays and JSON: no pickle.

A safe state holds every trained parameter, the optimiser's state, what the watcher saw, and the cursor; within an
epoch also what has added up in it, and where the random numbers are. Everything else (data order, initial weights,
learning rate) is a function of the config and the cursor.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.shrink import shrink
from mimi_core.errors import RunError
from mimi_core.runs.formats import safe_state
from mimi_core.runs.formats.safe_state import State
from mimi_core.scores.catalogue import AT_START
from mimi_core.scores.watching import Watcher
from mimi_core.train.course import Cursor
from mimi_core.train.loop import Done


def pack(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    watcher: Watcher,
    cursor: Cursor,
    done: Done | None = None,
) -> State:
    """A safe state; `done` is what is done of an epoch, where it is one within."""
    tensors = {safe_state.model_key(name): tensor for name, tensor in _kept(model).items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[safe_state.optimizer_key(name, key)] = value
    for site, seen in watcher.seen.items():
        tensors |= {safe_state.seen_key(site, key): value for key, value in seen.items()}
    metadata = {
        "cycle": cursor.cycle,
        "epoch": cursor.epoch,
        "seconds": cursor.seconds,
        "step": cursor.step,
        "widths": {site: adapter.hidden_width for site, adapter in adapters_of(model).items()},
        "threads": torch.get_num_threads(),
    }
    if done is not None:
        within = {"loss": done.loss, "correct": done.correct, "random": torch.get_rng_state()}
        if done.loss.is_cuda:
            within["random_cuda"] = torch.cuda.get_rng_state(done.loss.device)
        tensors |= {safe_state.epoch_key(key): value for key, value in within.items()}
        metadata["epoch_seconds"] = done.seconds
    return {key: tensor.detach().cpu().contiguous().numpy() for key, tensor in tensors.items()}, metadata


def restore_model(model: nn.Module, tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> Cursor:
    """Shrink the freshly built model to the state's widths and fill in its parameters.

    Raises:
        RunError: the state is of another model.
    """
    if "threads" in metadata:  # another number would change the order of sums
        torch.set_num_threads(int(metadata["threads"]))
    widths = metadata["widths"]
    shrink(model, {site: np.arange(widths.get(site, 0)) for site in adapters_of(model)})
    kept = _kept(model)
    stored = safe_state.under(tensors, safe_state.model_key(""))
    stored |= _by_model_name(model, tensors)
    if {k: tuple(v.shape) for k, v in kept.items()} != {k: v.shape for k, v in stored.items()}:
        raise RunError("the saved state does not fit the model: was config.yaml changed? Start a new run instead")
    with torch.no_grad():
        for name, tensor in kept.items():
            tensor.copy_(torch.from_numpy(stored[name]))
    whole = {key: int(metadata.get(key, 0)) for key in ("cycle", "epoch", "step")}
    return Cursor(**whole, seconds=float(metadata["seconds"]))


def restore_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, np.ndarray]) -> None:
    """Give every parameter its moments back. Step counts stay on the CPU, where torch keeps them."""
    for name, parameter in model.named_parameters():
        stored = safe_state.under(tensors, safe_state.optimizer_key(name, ""))
        state = {key: torch.from_numpy(values) for key, values in stored.items()}
        if state:
            optimizer.state[parameter] = {
                key: value.to(parameter.device) if value.shape == parameter.shape else value
                for key, value in state.items()
            }


def restore_watcher(watcher: Watcher, tensors: dict[str, np.ndarray]) -> None:
    """What a state of an earlier version did not keep stays unknown: NaN, and so is a score that needs it."""
    for site, seen in watcher.seen.items():
        for key, empty in list(seen.items()):
            brought = tensors.get(safe_state.score_key(key, site)) if key in AT_START else None  # by a branch
            stored = tensors.get(safe_state.seen_key(site, key), brought)
            known = torch.full_like(empty, float("nan")) if stored is None else torch.from_numpy(stored)
            seen[key] = known.to(empty.device)


def restore_epoch(state: State, device: torch.device) -> Done:
    """What was done of the epoch that the state is within; random numbers go on from there."""
    tensors, metadata = state
    within = {key: torch.from_numpy(v) for key, v in safe_state.under(tensors, safe_state.epoch_key("")).items()}
    torch.set_rng_state(within["random"])
    if "random_cuda" in within and device.type == "cuda":
        torch.cuda.set_rng_state(within["random_cuda"], device)
    loss, correct = (within[name].to(device) for name in ("loss", "correct"))
    return Done(loss, correct, int(metadata["step"]), float(metadata["epoch_seconds"]))


def _by_model_name(model: nn.Module, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Adapters that are named by their site, as in the files of a cycle, by their names in the model."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: tensors[key]
        for site, adapter in adapters_of(model).items()
        for part, parameter in adapter.named_parameters()
        if (key := safe_state.adapter_key(site, part)) in tensors
    }


def _kept(model: nn.Module) -> dict[str, Tensor]:
    """Everything that training changes: trained parameters, and buffers when there are statistics to drift."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    everything_trains = len(trained) == len(list(model.parameters()))
    return trained | (dict(model.named_buffers()) if everything_trains else {})
