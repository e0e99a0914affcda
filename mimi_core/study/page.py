"""The findings as Markdown with pictures beside it."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path

from mimi_core.analysis.common.statistics import LEVEL, SIGNIFICANT
from mimi_core.analysis.common.words import WITHIN_MARGIN, listed, points
from mimi_core.runs import files
from mimi_core.runs.store import Store
from mimi_core.study.claims import equal_size, extreme, scores_and_scopes, vanishing
from mimi_core.study.design import MORE_SHOTS, SEEDS
from mimi_core.study.evidence import Evidence, gather
from mimi_core.study.exploratory import schedules, scores
from mimi_core.study.outcomes import gather_plan
from mimi_core.study.planned import planned_study
from mimi_core.study.sections import FindingsSection, Table
from mimi_core.study.stages import PlanRuns

SECTIONS = (equal_size, scores_and_scopes, vanishing, extreme, schedules, scores)
PAGE, PICTURES = "findings.md", "findings"


def write_findings(store: Store, plan: Store, folder: Path) -> tuple[Path, Evidence]:
    """Write findings.md and its pictures from what has finished of the study, and of the planned one.

    Args:
        store: where the study's runs are.
        plan: where those of the planned study are.
        folder: gets `findings.md` and `findings/*.svg`; what is there is replaced.

    Raises:
        ResourceError: the folder cannot be written.
    """
    evidence = gather(store)
    sections = [section(evidence) for section in SECTIONS]
    sections.append(planned_study(gather_plan(PlanRuns(plan))))
    with files.explained(folder):
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        for section in sections:
            for name, (picture, _) in section.pictures.items():
                files.write_text(folder / PICTURES / f"{name}.svg", picture)
        files.write_text(folder / PAGE, markdown(evidence, sections))
    return folder / PAGE, evidence


def markdown(evidence: Evidence, sections: Sequence[FindingsSection]) -> str:
    missing = evidence.planned - evidence.finished
    more = listed([f"{shots} of {task}" for task, shots in MORE_SHOTS.items()])
    parts = [
        "# Findings",
        "Made by `python -m mimi_core findings` from the runs in `assets/study`; no number here was typed. "
        "`python -m mimi_core findings --run` does what is missing of the study and writes this page anew.",
        f"**{evidence.finished} of {evidence.planned} runs have finished**"
        + (f"; the {missing} others will change what is said here." if missing else "."),
        "The frozen backbone is the bundled one, a Swin of 3 million parameters trained on Fashion-MNIST, with 30 "
        f"training images per class ({more}). Seeds {SEEDS[0]} to {SEEDS[-1]}; each draws its own training images and "
        "its own start, and all settings of a seed share them. Accuracy is that of the last epoch; within a run, the "
        "test images choose nothing.",
        f"Intervals are Student's for {LEVEL}. Comparisons are paired by seed, with p by the paired t test, corrected "
        "by Holm for all comparisons of one question, as many as the tables say, and called a difference below "
        f"{SIGNIFICANT:g}; their intervals are corrected as well (Bonferroni). Ablations corrects the same runs for "
        "what it shows side by side, which may be more or fewer. They are called equivalent "
        f"{WITHIN_MARGIN} where two one-sided tests, "
        "corrected likewise, say so, and undecided otherwise. Undecided is not none: " + _would_show(sections),
        "The demo's learning rate and epochs were once picked by hand with accuracies on the same test digits in view, "
        "under other seeds. They are MiMi's, and the methods beside it were given the same; the validation images "
        "chose nothing. The drawn tasks were made easier, and the images of sprites-count more, after looking at test "
        "accuracies of one seed, until adapters gained over a linear probe: what they say in favour of adapters is to "
        "be read with that in mind. The linear probe takes as many steps as the others, which is no proof that it has "
        "converged: one that has may be better. Fashion-MNIST is what the backbone was trained on, with its labels and "
        "these very training images: it says nothing of transfer.",
        "All runs were made in one sitting on one machine, two at a time, by one version of the program. The sweep "
        "over scores was killed on purpose again and again, as `benchmarks/killed.py` tells; its runs went on from "
        "their last safe states. Times and memory are not to be compared: runs shared the machine with one another, "
        "and some with other work.",
        "Most had been made before, in several sittings on several machines, by a version that began the order of "
        "images anew after every cut, so that runs with and without cuts saw another; those were discarded, whatever "
        "they had found. The same seeds did not show the same both times: on which tasks MiMi beats a small adapter or "
        "loses to a linear probe, how far cuts keep a gain over the probe, and which schedules are worse than cycles "
        "came out otherwise. With five seeds, single verdicts of this page hang on such things.",
        "What holds for this small backbone and a few images need not hold for a large one.",
    ]
    for section in sections:
        parts += [f"## {section.claim}", *_bullets(section.sentences)]
        parts += [f"![{what}]({PICTURES}/{name}.svg)" for name, (_, what) in section.pictures.items()]
        parts += [table(content) for content in section.tables]
    parts += [
        "## Made with",
        f"{listed(evidence.versions)}, on {listed(evidence.devices)}." if evidence.versions else "–",
    ]
    return "\n\n".join(parts) + "\n"


def table(content: Table) -> str:
    head, rows = content
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _would_show(sections: Sequence[FindingsSection]) -> str:
    """How large a difference the comparisons would have shown."""
    least = sorted(d for section in sections for d in section.detectable if not isnan(d))
    if not least:
        return "too few runs have finished to say what would show."
    middle = least[len(least) // 2]
    return (
        f"half of the {len(least)} comparisons would show a difference of {points(middle)} points or less in four of "
        f"five studies, the others only larger ones, up to {points(least[-1])}."
    )


def _bullets(sentences: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {sentence}" for sentence in sentences)] if sentences else []
