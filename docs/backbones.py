"""Writes docs/backbones.md: `make backbones`. Models on torch's meta device, so that the largest takes no memory."""

from pathlib import Path

from mimi_core.backbones.families import FAMILIES, Family
from mimi_core.cli.sites import SIGMA_0, outlook

FILE = Path(__file__).with_suffix(".md")
HEAD = f"""# Backbones

Written by `make backbones`; do not edit.

Any [timm](https://huggingface.co/docs/timm) model in which a place for adapters is found can be used, and CvT through
the transformers library. Every family listed here goes through a whole life in `tests/adapters/test_families.py`, in a
tiny model with random weights: the forward is the same with fresh adapters, the loss reaches every one of them, they
are cut, saved, resumed, and taken out without a trace. `python -m mimi_core sites MODEL` lists the sites of any model,
without its weights.

- **Sites**: attentions + MLPs. A block owns an MLP and mostly an attention; one with an MLP alone has one site, and a
  model without any attention has no use for `adapter.positions: attn` and says so.
- **Token widths**: M, from the input to the output.
- **Parameters**: in millions; of the backbone without a head, and of adapters as they start at sigma_0 = {SIGMA_0:g}.
- **LayerScale**: where a block scales its branches, series adapters sit behind the scale. In CaiT and in some blocks of
  EdgeNeXt attention and MLP share the module behind it, so they sit in front.
- **Start**: the same to the bit, or to rounding, where adding zero changes how a later tensor lies in memory and so the
  order of a sum.
"""
COLUMNS = ("Model", "Image", "Sites", "Token widths", "Backbone", "Adapters", "LayerScale", "Start")


def main() -> None:
    sections = [
        HEAD,
        "## Those of papers on fine-tuning\n",
        table(tuple(family for family in FAMILIES if family.in_papers)),
        "## Others, found by what they can do\n",
        table(tuple(family for family in FAMILIES if not family.in_papers)),
    ]
    FILE.write_text("\n".join(sections))
    print(FILE)


def table(families: tuple[Family, ...]) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS)]
    for family in families:
        lines.append((f"**{family.name}**", *[""] * (len(COLUMNS) - 1)))
        lines += [row(model, family) for model in family.models]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def row(model: str, family: Family) -> tuple[str, ...]:
    found = outlook(model)
    widths = list(dict.fromkeys(site.width for site in found.sites))
    return (
        f"`{model}`",
        str(found.image_size),
        f"{found.count('attn')} + {found.count('mlp')}",
        ", ".join(map(str, widths)),
        f"{found.backbone / 1e6:.1f}",
        f"{found.adapters / 1e6:.2f}",
        {"behind": "behind it", "front": "in front", "none": "–"}[found.layer_scale],
        "same" if family.exact else "to rounding",
    )


if __name__ == "__main__":
    main()
