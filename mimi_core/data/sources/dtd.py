"""DTD, describable textures (Cimpoi et al. 2014), by its first official split."""

from mimi_core.data.reading.class_lists import class_slash_image
from mimi_core.data.reading.torchvision_set import ONE, TorchvisionSet

SOURCES = (
    TorchvisionSet(
        "dtd",
        "5,640 photos of textures, 47 classes",
        "DTD",
        ONE,
        ("dtd/dtd",),
        625,
        "https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        class_slash_image({s: f"labels/{s}1.txt" for s in ("train", "val", "test")}),
    ).source(order=90),
)
