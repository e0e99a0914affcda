"""All ways to fine-tune: what each is called, what it is, and which settings play a part in it. No torch.

It stands here and not beside the implementations because configs are checked against it, and the implementations read
configs. The implementation of a method is `METHOD` in the module of its name in `mimi_core.methods`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

GENERAL = ("name", "group", "method", "backbone", "data", "train", "probe", "seed")
"""Settings, and sections of them, that play a part whatever the method."""


@dataclass(frozen=True)
class MethodEntry:
    """One way to fine-tune, as configs, forms and tables know it."""

    name: str
    """As in `method`, and the name of its module in `mimi_core.methods`."""
    label: str
    """As charts and tables call it."""
    words: str
    """What it does, for people: plain text, one or two sentences."""
    source: str
    """Where it comes from."""
    uses: tuple[str, ...] | None = None
    """Settings, and sections of them, that play a part besides `GENERAL`. Whether one does may depend on the value of
    another; that stands beside it in the schema. None: it was not said, so every setting counts as used."""
    cuts: bool = False
    """Whether it removes neurons in the cuts that section `prune` plans."""
    needs_plain_vit: bool = False
    """Whether it adds tokens, and so needs blocks that all see the same ones."""
    whole_weights: bool = False
    """Whether weight matrices of the backbone train, which want a lower learning rate than what is added to it."""
    short: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Other names for it -> further settings that each stands for."""

    def claims(self, path: str) -> bool:
        """Whether it says that the setting at a path plays a part."""
        return _within(path, self.uses or ())

    def may_use(self, path: str) -> bool:
        """Whether the setting at a path, such as `peft.rank`, can play a part at all."""
        return self.uses is None or not _claimed_by_some(path) or _within(path, (*GENERAL, *self.uses))


def makes_cuts(method: str) -> bool:
    """Whether a method of that name removes neurons; one that is not known, such as another version's, does not."""
    return method in METHODS and METHODS[method].cuts


def is_claimed(path: str) -> bool:
    """Whether a setting is known to play a part: everywhere, or in methods that say so."""
    return _within(path, GENERAL) or _claimed_by_some(path)


def _claimed_by_some(path: str) -> bool:
    return any(entry.claims(path) for entry in METHODS.values())


def _within(path: str, claims: Iterable[str]) -> bool:
    return any(path == claim or path.startswith(f"{claim}.") for claim in claims)


_LORA = ("adapter.positions", "peft.rank", "peft.alpha")
_ENTRIES = (
    MethodEntry(
        name="mimi",
        label="MiMi",
        words="Adapters that start wide and lose their least important neurons in cycles of training and cutting.",
        source="Marouf et al. 2024 (WACV), arXiv 2311.03873",
        uses=("adapter", "prune"),
        cuts=True,
        short={"anneal": {"prune": {"schedule": "anneal"}}},
    ),
    MethodEntry(
        name="adapter",
        label="adapter",
        words="Bottleneck adapters at attention and MLP that keep the width they start with.",
        source="Houlsby et al. 2019, arXiv 1902.00751",
        uses=("adapter",),
    ),
    MethodEntry(
        name="adaptformer",
        label="AdaptFormer",
        words="Adapters beside the MLPs, scaled by 0.1, of one width to the end.",
        source="Chen et al. 2022, arXiv 2205.13535",
        uses=("adapter.sigma_0", "adapter.init", "adapter.widths"),
    ),
    MethodEntry(
        name="linear",
        label="linear probe",
        words="The classifier head alone trains.",
        source="Alain and Bengio 2016, arXiv 1610.01644",
        uses=(),
    ),
    MethodEntry(
        name="bitfit",
        label="BitFit",
        words="The biases of all layers train, with the head.",
        source="Ben Zaken et al. 2022, arXiv 2106.10199",
        uses=(),
    ),
    MethodEntry(
        name="attn_only",
        label="attention only",
        words="The attention of every block trains, with the head.",
        source="Touvron et al. 2022, arXiv 2203.09795",
        uses=(),
        whole_weights=True,
    ),
    MethodEntry(
        name="mlp_only",
        label="MLP only",
        words="The MLP of every block trains, with the head: the counterpart of training the attention alone.",
        source="Touvron et al. 2022, arXiv 2203.09795",
        uses=(),
        whole_weights=True,
    ),
    MethodEntry(
        name="full",
        label="full fine-tuning",
        words="Every weight of the backbone trains, with the head.",
        source="the usual way to adapt a pre-trained model",
        uses=(),
        whole_weights=True,
    ),
    MethodEntry(
        name="ssf",
        label="SSF",
        words="A learned scale and shift of the features behind every operation; both can be folded into its weights.",
        source="Lian et al. 2022, arXiv 2210.08823",
        uses=("adapter.init",),
    ),
    MethodEntry(
        name="vpt_shallow",
        label="VPT-Shallow",
        words="Learned tokens join those of the image before the first block.",
        source="Jia et al. 2022, arXiv 2203.12119",
        uses=("peft.prompts",),
        needs_plain_vit=True,
    ),
    MethodEntry(
        name="vpt_deep",
        label="VPT-Deep",
        words="Learned tokens join those of the image, other ones in every block.",
        source="Jia et al. 2022, arXiv 2203.12119",
        uses=("peft.prompts",),
        needs_plain_vit=True,
        short={"vpt": {}},
    ),
    MethodEntry(
        name="lora",
        label="LoRA",
        words="A product of two thin matrices is added to every linear map in attention and MLP: W + alpha / r · B A.",
        source="Hu et al. 2022, arXiv 2106.09685",
        uses=_LORA,
    ),
    MethodEntry(
        name="dora",
        label="DoRA",
        words="LoRA, with the lengths of a weight's columns trained apart from their directions.",
        source="Liu et al. 2024, arXiv 2402.09353",
        uses=_LORA,
    ),
    MethodEntry(
        name="adalora",
        label="AdaLoRA",
        words="LoRA as W + alpha / r · B diag(E) A, with one budget of ranks that moves to the matrices that need it.",
        source="Zhang et al. 2023, arXiv 2303.10512",
        uses=(*_LORA, "peft.parameters"),
    ),
    MethodEntry(
        name="ia3",
        label="IA3",
        words="Learned scales behind the maps into attention, and before the last map of the MLP.",
        source="Liu et al. 2022, arXiv 2205.05638",
        uses=("adapter.positions",),
    ),
    MethodEntry(
        name="vera",
        label="VeRA",
        words="Random thin matrices that all layers share stay frozen; scales between them train.",
        source="Kopiczko et al. 2024, arXiv 2310.11454",
        uses=("adapter.positions", "peft.rank"),
    ),
    MethodEntry(
        name="oft",
        label="OFT",
        words="Every weight is turned by a learned orthogonal matrix made of blocks.",
        source="Qiu et al. 2023, arXiv 2306.07280",
        uses=("adapter.positions", "peft.rank"),
    ),
)
METHODS: Mapping[str, MethodEntry] = {entry.name: entry for entry in _ENTRIES}
"""By name, in the order in which forms list them."""
