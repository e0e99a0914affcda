"""The first question of whoever pays for training: what do the frozen features give, without any?

Before a run trains, a linear classifier is fitted to the features of its frozen backbone: one pass over the images, and
scikit-learn's logistic regression until it has converged, which takes seconds. A head trained by gradient steps in as
many epochs as a run has does not get that far, and would flatter whatever it is compared with.

Features have unit variance; the strength of the penalty is chosen on the validation images, and where there are none by
cross-validation on the training images. Runs of a store with the same images and backbone take it from each other.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.backbones.loading import load_backbone
from mimi_core.data.pixels import Pixels
from mimi_core.data.sampling import subset
from mimi_core.resources import BACKBONES
from mimi_core.runs.formats import fingerprint
from mimi_core.runs.formats import probe as probe_file
from mimi_core.runs.formats.probe import Probe
from mimi_core.runs.recorder import AnyRecorder, Recorder
from mimi_core.train.evaluate import predict_batches
from mimi_core.train.randomness import Purpose, derive
from mimi_core.train.setup import Setup

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""C, from the strongest penalty to the weakest: each fit starts from the one before."""
MOST_IMAGES = 50_000
MOST_NUMBERS = 2**25
"""Of the training features, in double precision: 256 MiB."""
MOST_WORK = 2**32
"""Images x features x classes x folds of a step of the fit: about a minute on two cores in all."""
FOLDS = 5
_STEPS = 1000

Tell = Callable[[str], None]
Labelled = tuple[np.ndarray, np.ndarray]
"""Features (n, d) float64 and labels (n,) int64."""


@dataclass(frozen=True)
class Fitted:
    """A converged classifier.

    Attributes:
        model: scikit-learn's, on what the scaler makes of features.
        calm: the same at the strength with the smallest cross entropy, for a head that trains on: what is most accurate
            may be so sure of itself that nothing is left to learn from.
        strength: C of `model`.
    """

    scaler: Any
    model: Any
    calm: Any
    strength: float
    chosen_on: Literal["validation", "training", "nothing"]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """(n, d) -> labels (n,)."""
        labels: np.ndarray = self.model.predict(self.scaler.transform(features))
        return labels

    def affine(self, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """`calm` as a linear head on features as they come: weight (classes, d) and bias (classes,).

        A class without training images gets a bias as low as any, and no weight.
        """
        weights, biases, known = self.calm.coef_, self.calm.intercept_, self.calm.classes_
        if len(known) == 2:  # scikit-learn keeps the difference of the two
            weights, biases = np.concatenate([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2
        weights = weights / self.scaler.scale_
        biases = biases - weights @ self.scaler.mean_
        weight, bias = np.zeros((classes, weights.shape[1])), np.full(classes, biases.min())
        weight[known], bias[known] = weights, biases
        return weight, bias


def beside(recorder: AnyRecorder, setup: Setup) -> Fitted | None:
    """Keep `probe.json` in the run's folder, unless it is there or not wanted. Nothing of the run depends on it.

    Returns:
        the classifier, where it had to be fitted for that.

    Raises:
        MimiError: an image has become unreadable, or there is no memory or disk.
    """
    if not isinstance(recorder, Recorder) or not setup.config.probe or probe_file.read(recorder.run):
        return None
    key = _key(setup, recorder.run)
    probe, classifier = probe_file.of_another(recorder.run, key), None
    if probe is None:
        probe, classifier = _work_out(setup, lambda text: recorder.update(message=f"linear probe: {text}"))
        recorder.update(message="")
    probe_file.write(recorder.run, probe.model_copy(update={"key": key}))
    return classifier


def fit(train: Labelled, val: Labelled, tell: Tell = lambda text: None) -> Fitted:
    """Logistic regression on scaled features; the most accurate strength, of equal ones that of the smaller loss.

    Args:
        train: of at least two classes.
        val: may be empty.
    """
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    features, labels = train
    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    chosen_on: Literal["validation", "training", "nothing"] = "nothing"
    scores = np.zeros((len(STRENGTHS), 2))
    if len(val[1]):
        chosen_on = "validation"
        scores = _scores((scaled, labels), (scaler.transform(val[0]), val[1]), tell)
    elif (folds := min(FOLDS, int(np.bincount(labels).max()))) > 1:
        chosen_on = "training"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some class has fewer images than there are folds
            parts = list(StratifiedKFold(folds, shuffle=True, random_state=0).split(scaled, labels))
        for number, (inside, outside) in enumerate(parts, 1):
            if len(np.unique(labels[inside])) > 1:
                held = scaled[outside], labels[outside]
                scores += _scores((scaled[inside], labels[inside]), held, tell, f", part {number} of {folds}")
    best = max(range(len(STRENGTHS)), key=lambda i: (scores[i][0], -scores[i][1]))
    calm = int(scores[:, 1].argmin())
    if chosen_on == "nothing":
        best = calm = STRENGTHS.index(1e-2)
    models = [copy(model) for model in _path((scaled, labels), max(best, calm) + 1)]
    return Fitted(scaler, models[best], models[calm], STRENGTHS[best], chosen_on)


def most_images(width: int, classes: int, folds: int) -> int:
    """So many training images may be used, that memory and time stay bounded."""
    return min(MOST_IMAGES, MOST_NUMBERS // width, max(1000, MOST_WORK // (width * max(classes, 2) * folds)))


def _path(train: Labelled, count: int = len(STRENGTHS)) -> Iterator[Any]:
    """The fitted model at each of the first strengths: one object, fitted on."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=_STEPS, warm_start=True)
    for strength in STRENGTHS[:count]:
        yield model.set_params(C=strength).fit(*train)


def _scores(train: Labelled, held: Labelled, tell: Tell, where: str = "") -> np.ndarray:
    """(strengths, 2): accuracy and mean cross entropy on what was held out; a class that was not learned costs most."""
    scores = []
    for number, model in enumerate(_path(train), 1):
        tell(f"fitting, strength {number} of {len(STRENGTHS)}{where}")
        logs, columns = model.predict_log_proba(held[0]), {label: i for i, label in enumerate(model.classes_)}
        of_own = [row[columns[label]] if label in columns else -30.0 for row, label in zip(logs, held[1], strict=True)]
        scores.append((np.mean(model.classes_[logs.argmax(1)] == held[1]), -np.mean(of_own)))
    return np.array(scores)


def fitted(setup: Setup) -> Fitted | None:
    """The classifier alone; None where there is nothing to fit, see `Probe.absent`."""
    return _work_out(setup, lambda text: None, test=False)[1]


def _work_out(setup: Setup, tell: Tell, test: bool = True) -> tuple[Probe, Fitted | None]:
    """What is kept of it, and the classifier. `test`: whether test images are told, too."""
    started = time.monotonic()
    tell("loading the frozen backbone")
    backbone = _frozen(setup)
    classes, folds = len(setup.dataset.class_names), 1 if len(setup.val) else FOLDS
    width = _width(backbone, setup)
    chosen = _some(setup.train, most_images(width, classes, folds)), _some(setup.val, MOST_NUMBERS // width)
    counter = _Counter(sum(map(len, chosen)) + test * len(setup.test), tell)
    train = _features(backbone, setup.train, chosen[0], setup, counter)
    val = _features(backbone, setup.val, chosen[1], setup, counter)
    if not np.isfinite(train[0]).all() or not np.isfinite(val[0]).all():
        return Probe(absent="the features of the frozen backbone are not all numbers"), None
    if len(np.unique(train[1])) < 2:
        return Probe(absent="the training images are all of one class"), None
    classifier = fit(train, val, tell)
    probe = Probe(
        strength=classifier.strength,
        chosen_on=classifier.chosen_on,
        features=width,
        train_images=len(train[1]),
        of_train_images=len(setup.train),
        train_accuracy=float(np.mean(classifier.predict(train[0]) == train[1])),
        val_accuracy=float(np.mean(classifier.predict(val[0]) == val[1])) if len(val[1]) else None,
    )
    if test:  # batch by batch: only what is known of them is kept
        told = [
            classifier.predict(rows) == truth for rows, truth in _batches(backbone, setup.test, None, setup, counter)
        ]
        right = np.concatenate(told)
        of_test = {"test_accuracy": float(right.mean()), "test_images": len(right), "right": probe_file.bits(right)}
        probe = probe.model_copy(update={**of_test, "seconds": time.monotonic() - started})
    return probe, classifier


class _Counter:
    """Says how many images are done, and how long the rest takes."""

    def __init__(self, total: int, tell: Tell) -> None:
        self._total, self._tell, self._done, self._seconds = total, tell, 0, 0.0

    def add(self, images: int, seconds: float) -> None:
        self._done, self._seconds = self._done + images, self._seconds + seconds
        left = self._seconds / self._done * (self._total - self._done)
        self._tell(f"features, {self._done:,} of {self._total:,} images, about {left:.0f} s left")


def _frozen(setup: Setup) -> nn.Module:
    """The backbone as it came, on the run's device, without a head: the run's own has what its method added."""
    model = load_backbone(setup.config.backbone, 0, derive(setup.config.seed, Purpose.HEAD)).model
    return model.requires_grad_(False).to(setup.device)


def _width(backbone: nn.Module, setup: Setup) -> int:
    images, _ = next(iter(setup.train.batches(torch.zeros(1, dtype=torch.int64), 1)))
    with torch.inference_mode():
        return int(backbone.eval()(setup.vision.inputs(images)).shape[1])


def _some(pixels: Pixels, most: int) -> Tensor:
    """Indices of all images, or of as many as may be, the classes in proportion."""
    if len(pixels) <= most:
        return torch.arange(len(pixels))
    return torch.from_numpy(subset(pixels.labels.cpu().numpy(), most, seed=0))


def _features(backbone: nn.Module, pixels: Pixels, order: Tensor | None, setup: Setup, counter: _Counter) -> Labelled:
    parts = list(_batches(backbone, pixels, order, setup, counter))
    if not parts:
        return np.zeros((0, 1)), np.zeros(0, np.int64)
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([labels for _, labels in parts])


def _batches(
    backbone: nn.Module, pixels: Pixels, order: Tensor | None, setup: Setup, counter: _Counter
) -> Iterator[Labelled]:
    """Features as the run's own evaluations see images: no augmentation, the same precision."""
    last = time.monotonic()
    for rows, labels in predict_batches(backbone, pixels, setup.vision, order):
        now = time.monotonic()
        counter.add(len(labels), now - last)
        yield rows.double().cpu().numpy(), labels.cpu().numpy()
        last = time.monotonic()


def _key(setup: Setup, run: Path) -> str:
    """The same for runs whose probes are the same: images by what a run holds to, backbone by its file or its name."""
    config, held = setup.config, fingerprint.read(run)
    backbone = config.backbone.model_dump(mode="json", exclude={"checkpoint"})
    if config.backbone.name in BACKBONES and not config.backbone.checkpoint:
        backbone["file"] = hashlib.sha256(BACKBONES[config.backbone.name].read_bytes()).hexdigest()
    if not config.backbone.pretrained and not config.backbone.checkpoint:
        backbone["seed"] = config.seed  # its weights are random
    what = {
        "held": held.model_dump(mode="json") if held else None,
        "backbone": backbone,
        "image_size": setup.image_size,
        "data": config.data.model_dump(mode="json", exclude={"path"}),
        "half": setup.vision.autocast,
        "versions": [probe_file.Probe().version, version("timm"), version("scikit-learn")],
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]
