"""What a neuron is worth before any training: SNIP and GraSP. Scored once, and true for all cuts.

Both look at the gradient g of the mean loss over some training images, and GraSP at H g as well, H being the Hessian:

    snip_j  = sum over the neuron's parameters of |w g|          (Lee et al. 2019, arXiv 1810.02340)
    grasp_j = sum over the neuron's parameters of  w (H g)       (Wang et al. 2020, arXiv 2002.07376, eq. 8)

Taking the neuron out changes the squared gradient norm of all that trains by -2 grasp_j to first order. So a higher
score keeps gradient flowing; a negative one says that training would go faster without the neuron.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.scores import Seen, by_neuron


def score_initial(model: nn.Module, losses: Callable[[], Iterable[Tensor]], seen: dict[str, Seen]) -> None:
    """Fill `snip` and `grasp` of every site.

    SNIP stays unknown where it is zero for all neurons, as with adapters that start at the identity: their `up` is
    zero, and so is the gradient of their `down`.

    Args:
        losses: gives, each time it is called, losses of the same batches, which add up to the mean loss.
    """
    adapters = adapters_of(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    gradients = _sums(torch.autograd.grad(loss, trained) for loss in losses())
    with sdpa_kernel(SDPBackend.MATH):  # the fused attentions cannot be differentiated twice
        products = _sums(_hessian_times(gradients, loss, trained) for loss in losses())
    by_parameter = dict(zip(trained, zip(gradients, products, strict=True), strict=True))
    with torch.no_grad():
        for site, adapter in adapters.items():
            down, up = by_parameter[adapter.down], by_parameter[adapter.up]
            gradient, product = by_neuron(down[0], up[0]), by_neuron(down[1], up[1])
            weights = by_neuron(adapter.down, adapter.up)
            seen[site].snip = (weights * gradient).abs().sum(1)
            seen[site].grasp = (weights * product).sum(1)
    if not any(seen[site].snip.any() for site in adapters):
        for site in adapters:
            seen[site].snip.fill_(float("nan"))


def _hessian_times(vectors: list[Tensor], loss: Tensor, parameters: list[nn.Parameter]) -> Iterable[Tensor]:
    """H v of one batch, by differentiating the gradient's product with v."""
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    product = torch.stack([(g * v).sum() for g, v in zip(gradients, vectors, strict=True)]).sum()
    found = torch.autograd.grad(product, parameters, allow_unused=True)
    return [torch.zeros_like(p) if f is None else f for p, f in zip(parameters, found, strict=True)]


def _sums(parts: Iterable[Iterable[Tensor]]) -> list[Tensor]:
    """Element by element, over all batches."""
    totals: list[Tensor] = []
    for part in parts:
        totals = [total + new for total, new in zip(totals, part, strict=True)] if totals else list(part)
    return totals
