"""CONTRIBUTING, Add a dataset: one new file, and it is offered, listed and trained on."""

import json

from .conftest import House

STRIPES = '''
    """Stripes, drawn here."""

    import numpy as np

    from mimi_core.config import DataConfig
    from mimi_core.data.source import Source
    from mimi_core.data.types import ArrayImages, Dataset, Progress, Split


    def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
        labels = np.arange(60) % 2
        pixels = np.zeros((60, 8, 8), dtype=np.uint8)
        pixels[labels == 0, ::2] = 255
        pixels[labels == 1, :, ::2] = 255
        all_of_them = Split(ArrayImages(pixels, "stripes"), labels.astype(np.int64))
        train, val, test = (all_of_them.take(np.arange(start, start + 20)) for start in (0, 20, 40))
        return Dataset(config.name, ("lying", "standing"), train, val, test)


    SOURCES = (Source("stripes", "60 pictures of stripes", load),)
'''


def test_one_file_is_a_dataset(house: House) -> None:
    house.add("mimi_core/data/sources/stripes.py", STRIPES)

    offered, torch = house.python(
        """
        import sys
        from mimi_core.data.catalogue import on_this_machine
        print("stripes" in on_this_machine(), "torch" in sys.modules)
        """
    ).split()
    assert (offered, torch) == ("True", "False"), "what the form suggests"

    listed = json.loads(house.mimi("data", "ls", "--json").stdout)
    names = [row["name"] for row in listed]
    assert {"name": "stripes", "summary": "60 pictures of stripes", "missing": None} in listed
    assert names.index("food101") < names.index("stripes") < names.index("folder:PATH")

    checked = house.mimi("data", "check", "stripes")
    assert checked.returncode == 0, checked.stderr
    assert "stripes" in house.mimi("run", "--help").stdout
    assert ["lying", "10", "10", "10"] in [line.split() for line in checked.stdout.splitlines()]

    sets = ("data=stripes", "train.epochs=1", "data.shots=null", "train.device=cpu")
    trained = house.mimi("run", "--preset", "quick", *(part for text in sets for part in ("--set", text)))
    assert trained.returncode == 0, trained.stderr
    results = house.python(
        """
        from mimi_core.runs.store import Store
        import os
        (run,) = Store(os.environ["MIMI_RUNS"]).list()
        print(run.phase, run.data)
        """
    )
    assert results.split() == ["finished", "stripes"]
    assert house.changed() == {"mimi_core/data/sources/stripes.py"}
