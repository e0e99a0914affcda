"""Arrays of labels, and MATLAB files of arrays, with distrust."""

from pathlib import Path
from typing import Any

import numpy as np

from mimi_core.errors import DataError


def class_numbers(values: np.ndarray, classes: int, file: Path) -> np.ndarray:
    """Whole numbers 0 .. classes - 1 as int64."""
    try:
        labels = values.astype(np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{file}: its labels are no numbers; get the set again") from error
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        worst = labels.max() if labels.max() >= classes else labels.min()
        raise DataError(f"{file}: has the label {worst}; expected 0 to {classes - 1}")
    return labels


def read_mat(file: Path) -> dict[str, Any]:
    """The variables of a MATLAB file. Raises a DataError for a file that is missing or broken."""
    from scipy.io import loadmat

    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        return dict(loadmat(file))
    except Exception as error:  # on broken input it raises nearly everything there is
        raise DataError(f"{file}: not a readable MATLAB file ({' '.join(str(error).split())[:200]})") from error
