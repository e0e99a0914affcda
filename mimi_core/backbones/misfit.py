"""Why a file's weights do not fit a model, by kind and with the likely cause: for the people who read it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_CAUSES = (
    (r"\.lora_|\.adapter|\.base_layer\.", "it holds adapters of their own: merge them into the weights before saving"),
    (r"^decoder|(^|\.)mask_token$", "it holds the decoder of a masked autoencoder: save the encoder alone"),
    (r"^(fc_)?norm\.", "its tokens are pooled otherwise (norm or fc_norm): choose the model of the same pooling"),
    (r"\.ls\d\.gamma|gamma_\d", "LayerScale is in one and not in the other (DeiT III and DINOv2 have it)"),
    (r"reg_token|register_tokens", "register tokens are in one and not in the other: some models have them (_reg4_)"),
    (r"relative_position", "relative positions are in one and not in the other (Swin and BEiT have them)"),
    (r"pos_embed$|cls_token$", "class token or position embeddings are in one and not in the other"),
)  # fmt: skip
_SHOWN = 3
Shape = Sequence[int]


def misfit(given: Mapping[str, Shape], wanted: Mapping[str, Shape]) -> str:
    """What is wrong, "" if nothing.

    Args:
        given: names and shapes of the file, as far as they could be brought into the model's terms.
        wanted: names and shapes of the model.
    """
    missing = [name for name in wanted if name not in given]
    foreign = [name for name in given if name not in wanted]
    other = [name for name in wanted if name in given and tuple(given[name]) != tuple(wanted[name])]
    if not (missing or foreign or other):
        return ""
    parts = [f"{len(names)} weights are {kind} ({kinds(names)})" for kind, names in
             (("missing", missing), ("foreign", foreign)) if names]  # fmt: skip
    if other:
        first = f"{other[0]} is {_shown(given[other[0]])}, the model's {_shown(wanted[other[0]])}"
        parts.append(f"{len(other)} weights have other shapes ({first})")
    return f"{'; '.join(parts)}. {_cause(given, wanted, missing, foreign, other)}"


def _cause(
    given: Mapping[str, Shape], wanted: Mapping[str, Shape], missing: list[str], foreign: list[str], other: list[str]
) -> str:
    patches = next((name for name in other if name.endswith(("patch_embed.proj.weight", "conv1.weight"))), None)
    if patches and len(given[patches]) == len(wanted[patches]) == 4 and len(other) == 1:
        mine, theirs = wanted[patches][1], given[patches][1]
        if mine != theirs:
            return f"It is of images of {theirs} channels; images have {mine} here, grey ones too"
    if len(missing) == len(wanted):
        return "No name is common to both: it is a checkpoint of another architecture, or of another library's naming"
    deep, deeper = _depth(given), _depth(wanted)
    if not other and deep != deeper and deep and deeper:
        less = "is cut off, or of a shallower model" if deep < deeper else "is of a deeper model"
        return f"It has {deep} blocks and the model {deeper}: it {less}"
    if other:
        return "It is of a model of another width, depth or stem: choose the model that it was made with"
    for pattern, cause in _CAUSES:
        names = missing + foreign
        if all(re.search(pattern, name) for name in names) or any(re.search(pattern, name) for name in foreign):
            return cause[0].upper() + cause[1:]
    return "Is it a checkpoint of another model?" if missing else "Save the backbone's own weights alone"


def _depth(names: Iterable[str]) -> int:
    """Blocks of the longest numbered list; of stages, all blocks together."""
    blocks = {match[0] for name in names if (match := re.match(r"(?:.*?\.)?(?:blocks|layers)\.\d+(?=\.)", name))}
    inner = {match[0] for name in names if (match := re.match(r"(?:layers|stages)\.\d+\.blocks\.\d+(?=\.)", name))}
    return len(inner or blocks)


def kinds(names: Iterable[str]) -> str:
    """Names with their numbers put together: "blocks.*.norm1.weight (12), pos_embed"."""
    counts = Counter(re.sub(r"(?<![^.])\d+(?![^.])", "*", name) for name in names)
    return counted([f"{name} ({count})" if count > 1 else name for name, count in counts.items()])


def counted(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _shown(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a single number"
