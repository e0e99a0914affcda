"""Published results, from a file that says where each comes from."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mimi_core.analysis.common.curves import pareto_front
from mimi_core.errors import ConfigError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Published(_Part):
    """One method's result, as published."""

    method: str
    parameters: Annotated[float, Field(ge=0)]
    """Trained, in millions, classifier head left out."""
    accuracy: Annotated[float, Field(ge=0, le=100)]
    """In percent."""
    paper: str
    arxiv: Annotated[str, Field(pattern=r"^\d{4}\.\d{5}$")]


class References(_Part):
    """The published results of one task with one backbone."""

    title: str
    data: Annotated[str, Field(min_length=1)]
    """How the names of this program's datasets begin that are part of the task."""
    accuracy: str
    """What the accuracies are a mean of."""
    note: str
    results: list[Published]


_FILE = TypeAdapter(list[References])


def read_references(path: Path) -> list[References]:
    """All tasks in the file.

    Raises:
        ConfigError: it cannot be read, or a result in it is not complete.
    """
    try:
        return _FILE.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"the published results in {path} cannot be read: {' '.join(str(error).split())}") from error


def published_table(references: References) -> pd.DataFrame:
    """One row per result, most accurate first.

    Columns: setting (the method), method ("published"), parameters (head left out), mean (0..1), paper, source (its
    address), front.
    """
    rows = [
        {
            "setting": result.method,
            "method": "published",
            "parameters": result.parameters * 1e6,
            "mean": result.accuracy / 100,
            "paper": result.paper,
            "source": f"https://arxiv.org/abs/{result.arxiv}",
        }
        for result in references.results
    ]
    table = pd.DataFrame(rows, columns=["setting", "method", "parameters", "mean", "paper", "source"])
    table = table.sort_values(["mean", "parameters"], ascending=[False, True]).reset_index(drop=True)
    return table.assign(front=pareto_front(list(table["parameters"]), list(table["mean"])))
