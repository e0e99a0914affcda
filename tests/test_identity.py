"""What makes two runs the same, and which settings play a part in one."""

import gc

import pytest

from mimi_core.config import RunConfig, identity, make_config
from mimi_core.config.identity import (
    NEVER_MATTER,
    SEEDS,
    UNUSED,
    compared_settings,
    run_key,
    same_but_seed,
    seed_key,
    setting_digest,
    setting_key,
    task_key,
    used_values,
)
from mimi_core.config.methods import GENERAL, METHODS, MethodEntry, is_claimed
from mimi_core.config.schema import Branch
from mimi_core.config.settings import settings
from mimi_core.config.site_widths import Inherited, TakenWidths


def unused(*sets: str) -> set[str]:
    return {path for path, value in used_values(make_config(sets=[*sets])).items() if value == UNUSED}


@pytest.mark.parametrize("path", [*NEVER_MATTER, *SEEDS])
def test_what_never_matters_and_what_a_seed_is_are_settings(path: str) -> None:
    assert path in settings()
    assert path not in compared_settings()


def test_repetitions_differ_by_seeds_and_by_what_never_matters() -> None:
    one = make_config()
    other = make_config(sets=["name=a", "group=g", "data.path=/a", "train.workers=7", "seed=3", "data.seed=4"])
    assert same_but_seed(one, other)
    assert (seed_key(one), seed_key(other)) == ((0, 0), (3, 4))
    assert run_key(one) != run_key(other), "another seed is another run"
    again = make_config(sets=["name=a", "group=g", "data.path=/a", "train.workers=7"])
    assert run_key(one) == run_key(again.model_copy(update={"versions": {"torch": "9"}}))
    for difference in ("train.device=cpu", "train.lr=0.1", "data.shots=3", "prune.rho=0.3", "method=adapter"):
        assert not same_but_seed(one, make_config(sets=[difference])), difference
        assert run_key(one) != run_key(make_config(sets=[difference])), difference


def test_what_plays_no_part_makes_no_other_setting_but_is_another_wish() -> None:
    probe, same = (make_config(sets=["method=linear", f"peft.rank={rank}"]) for rank in (4, 8))
    assert same_but_seed(probe, same)
    assert run_key(probe) != run_key(same), "who asks for both gets both"


def test_widths_of_runs_of_one_setting_are_one_setting() -> None:
    """Every repetition takes its widths from the run with its own seed; whichever run that is."""

    def taken(seed: int, of: int, how: str = "") -> RunConfig:
        config = make_config(sets=["method=adapter", f"seed={seed}", f"adapter.widths=from:run-{of}{how}"])
        asked = config.adapter.widths
        assert isinstance(asked, TakenWidths)
        read = Inherited(asked=str(asked), setting="abc", seed=of, data_seed=0, widths={"a": 1 + of})
        widths = asked.model_copy(update={"inherited": read})
        return config.model_copy(update={"adapter": config.adapter.model_copy(update={"widths": widths})})

    assert same_but_seed(taken(1, 1), taken(2, 2))
    assert same_but_seed(taken(1, 1, ",shuffle:1"), taken(2, 2, ",shuffle:2"))
    assert not same_but_seed(taken(1, 1), taken(1, 2)), "two runs with one seed, which are no repetitions"
    for how in (",shuffle:1", ",shuffle:7", ",budget:9", ",parameters:same", ",weights:rewound"):
        assert not same_but_seed(taken(1, 1), taken(1, 1, how)), how
    wish = make_config(sets=["method=adapter", "seed=1", "adapter.widths=from:run-1"])
    assert run_key(wish) == run_key(taken(1, 1)), "a sweep finds the run that it asked for"
    assert run_key(wish) != run_key(taken(1, 2))


def test_courses_of_the_learning_rate_play_a_part_without_cuts_alone() -> None:
    assert "train.cycles" in unused()
    assert "train.cycles" not in unused("method=adapter")
    assert "train.cycles" not in unused("adapter.sigma_0=8", "prune.sigma_target=8")


def test_the_name_of_a_setting_is_that_of_its_repetitions_alone() -> None:
    names = [setting_digest(make_config(sets=sets)) for sets in ([], ["seed=4"], ["prune.rho=0.3"], ["method=adapter"])]
    assert names[0] == names[1]
    assert len({*names}) == 3


def test_a_task_is_images_and_backbone() -> None:
    one = make_config(sets=["method=linear", "data.path=/a", "data.seed=3"])
    assert task_key(one) == task_key(make_config(sets=["train.lr=0.1"]))
    assert task_key(one) != task_key(make_config(sets=["data.shots=3"]))
    assert task_key(one) != task_key(make_config(sets=["backbone.image_size=64"]))


def test_branches_are_told_apart_by_what_their_parents_cut() -> None:
    config = make_config(sets=["prune.rho=0.5"])
    as_usual, twin, other = (
        config.model_copy(update={"branch": Branch(run=run, cycle=1, keep=(keep,))})
        for run, keep in (("a", "1/2"), ("b", "1/2"), ("c", "3/4"))
    )
    assert used_values(as_usual)["branch"] == "branched after cycle 1"
    assert used_values(other)["branch"] == "branched after cycle 1 that kept 3/4"
    assert used_values(config)["branch"] == "not branched"
    assert same_but_seed(as_usual, twin)
    assert len({setting_key(each) for each in (config, as_usual, other)}) == 3


@pytest.mark.parametrize(
    ("sets", "are_used", "are_not"),
    [
        ([], ["prune.rho", "prune.normalise", "adapter.sigma_0"], ["adapter.scale", "prune.every", "peft.rank"]),
        (["adapter.placement=parallel"], ["adapter.scale"], []),
        (["prune.schedule=anneal"], ["prune.every", "prune.warm", "prune.settle"], ["prune.rho"]),
        (["prune.score=random"], ["prune.score"], ["prune.normalise"]),
        (["prune.sigma_target=8"], ["prune.sigma_target"], ["prune.rho", "prune.score", "prune.scope"]),
        (["method=adapter"], ["adapter.positions"], ["prune.sigma_target", "prune.score"]),
        (["method=lora"], ["peft.rank", "peft.alpha", "adapter.positions"], ["adapter.sigma_0", "peft.prompts"]),
        (["method=vpt"], ["peft.prompts"], ["peft.rank", "adapter.positions"]),
    ],
)
def test_settings_play_a_part_where_something_reads_them(
    sets: list[str], are_used: list[str], are_not: list[str]
) -> None:
    assert not unused(*sets) & set(are_used)
    assert unused(*sets) >= set(are_not)


def test_every_setting_is_claimed_by_something() -> None:
    assert [path for path in settings() if not is_claimed(path)] == []
    everything = {path.split(".")[0] for path in settings()} | set(settings())
    claims = {claim for entry in METHODS.values() for claim in entry.uses or ()} | set(GENERAL)
    assert claims <= everything, "nothing is claimed that is no setting"


def test_every_method_says_what_it_is() -> None:
    assert list(METHODS) == [entry.name for entry in METHODS.values()]
    for entry in METHODS.values():
        assert entry.label, entry.name
        assert entry.words.endswith("."), entry.name
        assert entry.source, entry.name
        assert entry.uses is not None, entry.name
    assert len({entry.label for entry in METHODS.values()}) == len(METHODS)


def test_what_is_not_said_counts_as_used() -> None:
    silent = MethodEntry(name="new", label="New", words="It is new.", source="nowhere")
    assert all(silent.may_use(path) for path in settings())
    assert METHODS["linear"].may_use("section.that_nobody_claims")
    assert not METHODS["linear"].may_use("peft.rank")


def test_a_key_is_of_the_object_that_it_was_asked_of_and_forgotten_with_it() -> None:
    """Objects come and go at the same address; each is told by its own values."""
    kept = len(identity._known)
    for rank in range(1, 200):
        config = make_config({"method": "lora", "peft": {"rank": rank}})
        assert dict(setting_key(config))["peft.rank"] == rank
        assert setting_key(config) is setting_key(config)
        changed = config.model_copy(update={"method": "dora"})
        assert setting_key(changed) != setting_key(config)
    del config, changed
    gc.collect()
    assert len(identity._known) == kept
