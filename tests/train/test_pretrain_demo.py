"""The bundled backbone's pre-training can leave classes out, for tasks that it must not have seen."""

import numpy as np

from mimi_core.data.reading.idx import read_split
from mimi_core.data.sources.fashion_mnist import DEBIAN_FOLDER, HOW
from mimi_core.train.pretrain_demo import read_classes


def test_images_of_other_classes_are_not_there() -> None:
    images, labels = read_classes(DEBIAN_FOLDER, "test", (1, 5, 8))
    everything, of = read_split(DEBIAN_FOLDER, "test", HOW)
    assert np.bincount(labels.numpy()).tolist() == [1000, 1000, 1000]
    for new, old in enumerate((1, 5, 8)):
        assert np.array_equal(images[labels == new].numpy(), everything[of == old])
