"""What came out of a suite: a task each, and the means over tasks that are compared, beside published results."""

from collections.abc import Sequence
from math import nan

import pandas as pd

from mimi_core.analysis.common.statistics import of_setting
from mimi_core.analysis.compare.design import worded
from mimi_core.analysis.compare.tables import Facts
from mimi_core.analysis.trade_off.references import References
from mimi_core.sweeps.suites import Suite

OVER_GROUPS, OVER_TASKS = "mean of the group means", "mean of all tasks"


def suite_scores_table(runs: Sequence[Facts], varying: Sequence[str]) -> pd.DataFrame:
    """One row per finished run.

    Columns: setting (what `varying` has, in words), task (name of the dataset), seed, accuracy (test, 0..1),
    parameters (trained, head left out), epochs (in all).
    """
    rows = [
        {
            "setting": ", ".join(worded(path, run.values[path]) for path in varying),
            "task": run.values["data.name"],
            "seed": run.seed,
            "accuracy": run.accuracy,
            "parameters": run.points[-1].parameters - run.head,
            "epochs": run.epochs,
        }
        for run in runs
    ]
    return pd.DataFrame(rows, columns="setting task seed accuracy parameters epochs".split())


def tasks_table(suite: Suite, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per task that has a result, in the suite's order: group, task, and a column for every setting.

    Accuracies 0..1, means over the seeds; NaN where a setting has no result.
    """
    of = scores.groupby(["task", "setting"])["accuracy"].mean()
    settings = list(dict.fromkeys(scores["setting"]))
    rows = [
        {"group": group, "task": task, **{setting: of.get((task, setting), nan) for setting in settings}}
        for group, tasks in suite.groups.items()
        for task in tasks
        if task in set(scores["task"])
    ]
    return pd.DataFrame(rows, columns=["group", "task", *settings])


def means_table(suite: Suite, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per setting.

    Columns: setting, tasks (that have a result), of (tasks of the suite), seeds (that have a result on all of these
    tasks), parameters (mean over the tasks, head left out), epochs, one for every group (mean accuracy 0..1), and the
    two means `OVER_GROUPS` and `OVER_TASKS`, each with the ends of its t interval over the seeds under
    `low ..` and `high ..` (NaN for one seed). A group without a result is NaN, and then the mean over the groups is,
    too.
    """
    rows = []
    for setting, own in scores.groupby("setting", sort=False):
        by_seed = own.pivot_table(index="seed", columns="task", values="accuracy")
        means = by_seed.mean()
        complete = by_seed.dropna()
        row: dict[str, object] = {
            "setting": setting,
            "tasks": len(means),
            "of": len(suite.data),
            "seeds": len(complete),
            "parameters": own.groupby("task")["parameters"].mean().mean(),
            "epochs": own["epochs"].mean(),
            **{group: _over([group], suite, means) for group in suite.groups},
        }
        for name, over in ((OVER_GROUPS, list(suite.groups)), (OVER_TASKS, None)):
            row[name] = _over(over, suite, means)
            spread = of_setting({seed: _over(over, suite, of) for seed, of in complete.iterrows()})
            row[f"low {name}"], row[f"high {name}"] = spread.low, spread.high
        rows.append(row)
    means = [column for name in (OVER_GROUPS, OVER_TASKS) for column in (name, f"low {name}", f"high {name}")]
    return pd.DataFrame(
        rows, columns=["setting", "tasks", "of", "seeds", "parameters", "epochs", *suite.groups, *means]
    )


def beside_published(means: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Settings of a suite among published results, most accurate first.

    Args:
        means: a `means_table`.
        published: a `published_table`, whose accuracies are means of the group means.

    Columns: setting, published (whether), parameters, accuracy (0..1), seeds and tasks (NaN where published), source.
    """
    own = pd.DataFrame(
        {
            "setting": means["setting"],
            "published": False,
            "parameters": means["parameters"],
            "accuracy": means[OVER_GROUPS],
            "seeds": means["seeds"],
            "tasks": means["tasks"],
            "source": "",
        }
    )
    others = pd.DataFrame(
        {
            "setting": published["setting"],
            "published": True,
            "parameters": published["parameters"],
            "accuracy": published["mean"],
            "seeds": nan,
            "tasks": nan,
            "source": published["paper"] + ", " + published["source"],
        }
    )
    both = pd.concat([frame for frame in (own, others) if len(frame)], ignore_index=True)
    return both.sort_values("accuracy", ascending=False, na_position="first", kind="stable").reset_index(drop=True)


def references_of(suite: Suite, references: Sequence[References]) -> References | None:
    """The published results that the suite's may stand beside."""
    return next((one for one in references if one.data == suite.references), None)


def _over(groups: list[str] | None, suite: Suite, accuracies: pd.Series) -> float:
    """The mean of the groups' means, NaN where one has no task with a result; of all tasks where `groups` is None."""
    if groups is None:
        return float(accuracies.mean())
    means = [accuracies[accuracies.index.isin(suite.groups[group])].mean() for group in groups]
    return float(sum(means) / len(means))
