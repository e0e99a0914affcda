"""Food-101, photos of dishes (Bossard et al. 2014)."""

from mimi_core.data.reading.class_lists import class_slash_image
from mimi_core.data.reading.torchvision_set import ONE, TorchvisionSet

SOURCES = (
    TorchvisionSet(
        "food101",
        "101,000 photos of dishes, 101 classes",
        "Food101",
        ONE,
        ("food-101",),
        4996,
        "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
        class_slash_image({"train": "meta/train.txt", "test": "meta/test.txt"}, ".jpg"),
    ).source(order=110),
)
