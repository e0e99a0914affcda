"""The algorithm: train, then cut and train again until the budget is reached. An iterator of events.

attach adapters with width M // sigma_0; train E epochs                                 (cycle 0)
for k = 1 .. K:  score; select; SHRINK; evaluate (the damage); train E epochs; evaluate (the recovery)

How many epochs come between the cuts, and what each keeps, is `budget.plan`'s to say. Where many cuts fall within one
training, the damage of each is not evaluated: that would take longer than the training.
"""

import math
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.shrink import carry_state, shrink
from mimi_core.backbones.loading import drop_paths
from mimi_core.config import RunConfig
from mimi_core.errors import RunError
from mimi_core.runs.events import (
    EpochEnded,
    Evaluated,
    Event,
    Pruned,
    RunEnded,
    RunStarted,
    Scored,
    SiteInfo,
    Split,
    Stage,
    Warned,
)
from mimi_core.runs.formats import safe_state
from mimi_core.runs.formats import scores as scores_file
from mimi_core.runs.recorder import AnyRecorder, NoRecorder
from mimi_core.runs.store import versions
from mimi_core.scores.watching import Watcher, score_all, score_at_start
from mimi_core.select import normalise, normaliser_of, select
from mimi_core.train import artefacts, fingerprint, head, missed, probe, ranks, resume
from mimi_core.train.augment import augment_of_epoch
from mimi_core.train.course import Course, Cursor
from mimi_core.train.evaluate import evaluate
from mimi_core.train.loop import Done, initial_losses, train_epoch
from mimi_core.train.optim import make_optimizer
from mimi_core.train.progress import Progress
from mimi_core.train.randomness import Purpose, derive, numpy_generator, torch_generator
from mimi_core.train.setup import Setup, device_in_full, parameter_counts, set_up

WITHIN_EPOCH = 60.0
"""Least seconds between two safe states within an epoch."""


def run(config: RunConfig, recorder: AnyRecorder | None = None) -> Iterator[Event]:
    """Do one run, from the start or from the recorder's last safe state, and tell what happens.

    The command line, the worker and a notebook all drive this iterator. Between two events it may be left at any
    moment; what the recorder has kept by then is enough to go on.

    Raises:
        MimiError: bad input, or no memory or disk to go on.
    """
    recorder = recorder or NoRecorder()
    setup = set_up(config, recorder)
    fingerprint.hold(recorder, config, setup.dataset)
    head.start(setup, probe.beside(recorder, setup))
    return _Run(setup, recorder).events()


class _Run:
    """What changes while a run goes on: the model, its optimiser, and the cursor: how far it is."""

    def __init__(self, setup: Setup, recorder: AnyRecorder) -> None:
        self.setup, self.config, self.recorder = setup, setup.config, recorder
        self.model = setup.model
        self.plan = setup.plan
        self.cuts = len(self.plan.keep)
        self.initial_widths = self._widths()
        self.initial_parameters = parameter_counts(self.model)
        state = recorder.load_state()
        if state is None and self.config.branch:
            raise RunError(f"the state this branch starts from cannot be read: branch {self.config.branch.run} again")
        self.begun = state if state and state[1].get("step") else None
        """The safe state within an epoch from which this attempt goes on, until it has done so."""
        self.given_scores = safe_state.brought_scores(state[0]) if state else {}
        self.cursor = resume.restore_model(self.model, *state) if state else Cursor()
        self.optimizer = make_optimizer(self.model, self.config.train)
        self.watcher = Watcher(adapters_of(self.model))
        if state:
            resume.restore_optimizer(self.optimizer, self.model, state[0])
            resume.restore_watcher(self.watcher, state[0])
        if setup.method.ranking:
            steps = math.ceil(len(setup.train) / self.config.train.batch_size)
            total, done = self.plan.total_epochs * steps, self.cursor.epoch * steps + self.cursor.step
            setup.method.ranking.begin(self.model, self.optimizer, self.config, total, done)
        self.started = time.monotonic()
        self.seconds_before = self.cursor.seconds
        recorder.update(began=time.time() - self.seconds_before)
        self.resumed = state is not None
        course = Course(
            self.plan, len(setup.train), len(setup.val) + len(setup.test), self.config.train.batch_size,
            artefacts.measured_images(setup),
        )  # fmt: skip
        self.progress = Progress(recorder, course.whole, course.up_to(self.cursor) if self.resumed else None)

    # --- the algorithm ------------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        if not self.resumed:
            yield self._run_started()
            for warning in self.setup.warnings:
                yield Warned(time=time.time(), code="setup", message=warning)
            artefacts.save_gallery(self.recorder, self.setup)
            artefacts.save_test_images(self.recorder, self.setup)
            if self.cuts:
                self._score_initial()
        else:
            yield from self._missed()
        first = self.cursor  # a safe state of cycle k > 0 is always one after cut k
        for cycle in range(first.cycle, self.cuts + 1):
            if cycle > first.cycle:
                yield from self._cut(cycle)
            if self.plan.epochs[cycle]:
                yield from self._train(cycle, first.epoch if cycle == first.cycle else 0)
                yield from self._evaluate(cycle, "trained")
            self._save_cycle(cycle)
            if cycle < self.cuts and self.recorder.stop_requested():
                yield self._ended("stopped", f"stopped after cycle {cycle}, as asked")
                return
        yield from self._ranks()
        if self.resumed:
            yield from self._missed()
        yield self._ended("finished", "")

    def _missed(self) -> Iterator[Event]:
        """Of a run that goes on: what it had kept and is lost."""
        for message in missed.by(self.recorder, self.setup):
            yield Warned(time=time.time(), code=missed.CODE, message=message)

    def _train(self, cycle: int, first_epoch: int) -> Iterator[Event]:
        epochs, earlier = self.plan.epochs[cycle], sum(self.plan.epochs[:cycle])
        course = self.plan.course or epochs
        for epoch in range(first_epoch, epochs):
            self._show("training", cycle=cycle, epoch=epoch + 1)
            if epoch and epoch % course == 0 and self.config.train.reset_optimizer and not self.begun:
                self.optimizer = make_optimizer(self.model, self.config.train)
            self.watcher.last_epoch = epoch == epochs - 1
            self.model.train(self.setup.method.trains_backbone)
            for path in drop_paths(self.model):  # also within a frozen backbone
                path.train()
            overall = earlier + epoch  # wherever the cuts fall, so that runs with and without them see the same order
            torch.manual_seed(derive(self.config.seed, Purpose.DROPOUT, 0, overall))
            chosen = self.config.train.order_seed
            order_seed = self.config.seed if chosen is None else chosen
            generator = torch_generator(order_seed, Purpose.ORDER, 0, overall)
            order = torch.randperm(len(self.setup.train), generator=generator)
            setup = self.setup
            done, self.begun = (resume.restore_epoch(self.begun, setup.device) if self.begun else None), None
            result = train_epoch(
                self.model,
                setup.train,
                order,
                self.optimizer,
                self.watcher,
                setup.vision,
                self.config.train,
                augment_of_epoch(setup, overall),
                (overall, self.plan.total_epochs) if self.plan.one_training else (epoch % course, course),
                self.progress,
                done,
                partial(self._keep_within, cycle, epoch),
            )
            yield EpochEnded(time=time.time(), cycle=cycle, epoch=epoch + 1, **vars(result))
            self._keep_state(cycle, epoch + 1, force=epoch == epochs - 1)

    def _score_initial(self) -> None:
        self._show("scoring", cycle=0, epoch=0)
        seed = derive(self.config.seed, Purpose.INITIAL_SCORE)
        losses = partial(initial_losses, self.model, self.setup.train, seed, self.setup.vision, self.config.train)
        score_at_start(self.model, adapters_of(self.model), losses, self.watcher.seen)

    def _cut(self, cycle: int) -> Iterator[Event]:
        self._show("scoring", cycle=cycle, epoch=0)
        if artefacts.measured_images(self.setup):
            artefacts.save_damage(self.recorder, self.setup, cycle, self.progress)
        started = time.monotonic()
        prune, keep = self.config.prune, self.plan.keep[cycle - 1]
        before = self._widths()
        random = numpy_generator(self.config.seed, Purpose.RANDOM_SCORE, cycle)
        raw = score_all(adapters_of(self.model), self.watcher.seen, random) | self.given_scores
        self.given_scores = {}
        how = normaliser_of(prune.score, prune.normalise)
        scores = normalise(raw[prune.score], self.setup.token_widths, how)
        survivors = select(scores, self.initial_widths, keep, prune.scope)
        carry_state(self.optimizer, shrink(self.model, survivors))
        self._watch_anew(survivors)
        if self.config.train.reset_optimizer:
            self.optimizer = make_optimizer(self.model, self.config.train)
        seconds = time.monotonic() - started

        self.recorder.save_arrays(cycle, scores_file.AT_A_CUT, scores_file.arrays(raw, survivors))
        kept = [scores[site][indices] for site, indices in survivors.items() if len(indices)]
        threshold = float(min(values.min() for values in kept)) if kept and prune.scope == "global" else None
        yield Scored(
            time=time.time(), cycle=cycle, score=prune.score, normalise=how, scope=prune.scope,
            keep_fraction=float(keep), threshold=threshold,
        )  # fmt: skip
        widths, parameters = self._widths(), parameter_counts(self.model)
        yield Pruned(
            time=time.time(), cycle=cycle, widths=widths,
            removed=[site for site in widths if before[site] and not widths[site]],
            neurons_before=sum(before.values()), neurons_after=sum(widths.values()),
            adapter_parameters=parameters["adapters"], trained_parameters=parameters["trained"], seconds=seconds,
        )  # fmt: skip
        if widths == before and not self.plan.one_training:
            yield Warned(
                time=time.time(),
                code="no_op_cut",
                message=f"cut {cycle} removed no neuron: the budget did not shrink by a whole one",
            )
        if not self.plan.one_training:
            yield from self._evaluate(cycle, "cut")
        self._keep_state(cycle, 0, force=True)

    def _ranks(self) -> Iterator[Event]:
        """What a method that decides ranks has left."""
        if self.setup.method.ranking:
            yield ranks.decided(self.setup.method.ranking.ranks(self.model), self.initial_parameters)
            yield from self._evaluate(1, "cut")

    def _evaluate(self, cycle: int, stage: Stage) -> Iterator[Event]:
        self._show("evaluating", cycle=cycle)
        splits: tuple[Split, ...] = ("val", "test")
        for split in splits:
            pixels = self.setup.val if split == "val" else self.setup.test
            if not len(pixels):
                continue  # data.train_on_val leaves none
            told = artefacts.Told()
            accuracy, loss = evaluate(
                self.model, pixels, self.setup.vision, self.progress, told.add if split == "test" else None
            )
            if split == "test":
                told.save(self.recorder, cycle, stage, len(self.setup.dataset.class_names))
            yield Evaluated(
                time=time.time(),
                cycle=cycle,
                stage=stage,
                split=split,
                accuracy=accuracy,
                loss=loss,
                images=len(pixels),
            )

    # --- what is kept -------------------------------------------------------------------------------------------

    def _keep_state(self, cycle: int, epoch: int, force: bool) -> None:
        """Keep a safe state when one is due; always at the ends of a cycle."""
        if force or self.recorder.state_is_due():
            cursor = Cursor(cycle, epoch, self._seconds())
            self.recorder.save_state(*resume.pack(self.model, self.optimizer, self.watcher, cursor))

    def _keep_within(self, cycle: int, epoch: int, done: Done) -> None:
        """Keep a safe state between two batches, where an epoch takes long."""
        if self.recorder.state_is_due(WITHIN_EPOCH):
            cursor = Cursor(cycle, epoch, self._seconds(), done.step)
            self.recorder.save_state(*resume.pack(self.model, self.optimizer, self.watcher, cursor, done))

    def _watch_anew(self, survivors: Mapping[str, np.ndarray]) -> None:
        before = self.watcher
        before.close()
        self.watcher = Watcher(adapters_of(self.model))
        self.watcher.carry_over(before.seen, survivors)

    def _save_cycle(self, cycle: int) -> None:
        adapters = adapters_of(self.model)
        if cycle == self.cuts and adapters:  # for a branch that goes on from here; a cut keeps them otherwise
            random = numpy_generator(self.config.seed, Purpose.RANDOM_SCORE, cycle + 1)
            raw = score_all(adapters, self.watcher.seen, random)
            self.recorder.save_arrays(cycle, scores_file.AT_THE_END, scores_file.arrays(raw, {}))
        artefacts.save_weights(self.recorder, self.setup, cycle, self._widths())
        artefacts.save_predictions(self.recorder, self.setup, cycle)

    # --- small things -------------------------------------------------------------------------------------------

    def _widths(self) -> dict[str, int]:
        """Every site of the run -> neurons now; 0 where the adapter is gone."""
        adapters = adapters_of(self.model)
        return {s.name: adapters[s.name].hidden_width if s.name in adapters else 0 for s in self.setup.sites}

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def _show(self, phase: str, **where: int) -> None:
        memory = torch.cuda.max_memory_allocated() if self.setup.device.type == "cuda" else None
        self.recorder.update(
            phase=phase,
            cycles=self.cuts,
            epochs=self.plan.epochs[min(where["cycle"], self.cuts)],  # that of ranks is one more
            gpu_memory_bytes=memory,
            message="",
            **where,
        )

    def _run_started(self) -> RunStarted:
        dataset, counts, ranking = self.setup.dataset, self.initial_parameters, self.setup.method.ranking
        if ranking:
            matrices = ranking.ranks(self.model)
            sites, widths = ranks.ranked_sites(matrices), ranks.starting_ranks(matrices)
            keep = [ranking.keep(self.config, matrices)]
        else:
            sites = [SiteInfo(name=s.name, block=s.block, position=s.position, width=s.width) for s in self.setup.sites]
            widths, keep = self.initial_widths, [float(keep) for keep in self.plan.keep]
        return RunStarted(
            time=time.time(),
            run_id=self.recorder.run.name,
            config=self.config.model_dump(mode="json"),
            versions=versions(),
            device=device_in_full(self.setup.device),
            sites=sites,
            initial_widths=widths,
            keep_fractions=keep,
            class_names=list(dataset.class_names),
            split_sizes={name: len(getattr(dataset, name)) for name in ("train", "val", "test")},
            backbone_parameters=self.setup.backbone_parameters,
            head_parameters=counts["head"],
            trained_parameters=counts["trained"],
        )

    def _ended(self, status: Any, message: str) -> RunEnded:
        return RunEnded(time=time.time(), status=status, message=message, seconds=self._seconds())
