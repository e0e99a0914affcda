"""CONTRIBUTING, Add a family of backbones: one new file, and it is suggested, documented and tested."""

from .conftest import House

FAMILY = '''
    """ViT whose blocks share their relative positions."""

    from mimi_core.backbones.families.entry import Family, Tiny

    FAMILIES = (
        Family(
            "ViT, shared positions",
            ("vit_srelpos_small_patch16_224",),
            Tiny(
                "vit_srelpos_small_patch16_224", 32, 2, 2, {"img_size": 32, "embed_dim": 48, "depth": 2, "num_heads": 3}
            ),
            in_papers=True,
        ),
    )
'''


def test_one_file_is_a_family(house: House) -> None:
    house.add("mimi_core/backbones/families/kinds/shared.py", FAMILY)
    suggested, torch = house.python(
        """
        import sys
        from pages.widgets.launch_form import BACKBONES
        print("vit_srelpos_small_patch16_224" in BACKBONES, "torch" in sys.modules)
        """
    ).split()
    assert (suggested, torch) == ("True", "False")

    assert "vit_srelpos_small_patch16_224" in house.mimi("sweep", "--help").stdout
    row = house.python(
        """
        from docs.backbones import table
        from mimi_core.backbones.families import FAMILIES
        print(table(tuple(family for family in FAMILIES if family.name == "ViT, shared positions")))
        """
    ).splitlines()[3]
    assert row.startswith("| `vit_srelpos_small_patch16_224` | 224 | ")
    assert row.endswith(" same |")

    life = house.test("tests/adapters/test_families.py", "-k", "a_whole_life and shared")
    assert life.returncode == 0, life.stdout
    assert "1 passed" in life.stdout
    assert house.changed() == {"mimi_core/backbones/families/kinds/shared.py"}
