"""Class numbers of tables of the library `datasets`. Between files a number means nothing, and a class's name does."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mimi_core.data.reading.hf_library import library_datasets
from mimi_core.errors import DataError


def own_numbers(dataset: str, tables: Any, groups: Mapping[str, Sequence[str]]) -> Any:
    """Tables whose classes are numbered as their own files say: the library takes the first split's numbers for all.

    Raises:
        DataError: files of one split number their classes differently.
    """
    library = library_datasets()
    for split, table in tables.items():
        for column, feature in table.features.items():
            if not isinstance(feature, library.ClassLabel):
                continue
            told = {tuple(names) for file in groups.get(str(split), ()) if (names := _names_in(file, column))}
            if len(told) > 1:
                raise DataError(f"{dataset}: files of its split {split} number the classes in {column} differently")
            for own in told - {tuple(feature.names)}:
                tables[split] = tables[split].cast_column(column, library.ClassLabel(names=list(own)))
    return tables


def _names_in(file: str, column: str) -> list[str] | None:
    """The names of a column's classes by number, as a file of Parquet or Arrow says itself; None where it does not."""
    import pyarrow.ipc
    import pyarrow.parquet

    try:
        if file.endswith(".parquet"):
            schema = pyarrow.parquet.read_schema(file)
        elif file.endswith(".arrow"):
            with pyarrow.memory_map(file) as source:
                schema = pyarrow.ipc.open_stream(source).schema
        else:
            return None
        feature = library_datasets().Features.from_arrow_schema(schema).get(column)
    except (OSError, ValueError):  # the library reads it otherwise, or says why not
        return None
    return list(feature.names) if isinstance(feature, library_datasets().ClassLabel) else None


def labels_of(dataset: str, tables: Mapping[str, Any], column: str) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """The classes that have an image somewhere; and for every split (rows,) int64 into them, -1 where there is none."""
    features = {split: table.features[column] for split, table in tables.items()}
    first = next(iter(features.values()))
    named = {
        split: [str(name) for name in getattr(feature, "names", None) or ()] for split, feature in features.items()
    }
    if not all(named.values()) and any(feature != first for feature in features.values()):
        raise DataError(f"{dataset}: the classes in {column} are not the same in all splits")
    values = {
        split: table.select_columns([column]).with_format("arrow")[:][column].to_pylist()
        for split, table in tables.items()
    }
    if all(named.values()):  # numbers mean nothing between splits, names do
        names = list(dict.fromkeys(name for own in named.values() for name in own))
        values = {split: [_renumbered(value, named[split], names) for value in own] for split, own in values.items()}
    present = {value for own in values.values() for value in own if value is not None}
    if all(named.values()):
        known = [(number, names[number]) for number in sorted(present) if number >= 0]
    elif all(isinstance(value, int | str) for value in present):
        known = [(value, str(value)) for value in sorted(present)]
    else:
        raise DataError(f"{dataset}: the column {column} holds neither class numbers nor text; choose another")
    if len(known) < 2:
        raise DataError(f"{dataset}: the column {column} has {len(known)} class(es); at least two are needed")
    number_of = {value: number for number, (value, _) in enumerate(known)}
    labels = {
        split: np.array([number_of.get(value, -1) for value in own], dtype=np.int64) for split, own in values.items()
    }
    return tuple(name for _, name in known), labels


def _renumbered(value: int | None, own: Sequence[str], names: Sequence[str]) -> int:
    """A split's own class number as one into `names`; -1 where it is none."""
    return names.index(own[value]) if value is not None and 0 <= value < len(own) else -1
