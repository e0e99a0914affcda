"""What a check and a look at a dataset found, as DataFrames."""

import pandas as pd

from mimi_core.analysis.common.labels import cycle_name
from mimi_core.data.intake.preview import Preview
from mimi_core.runs.jobs.check_report import CheckReport


def planned_cycles_table(report: CheckReport) -> pd.DataFrame:
    """A row for each cycle.

    Columns: cycle, name, neurons, adapter_parameters, head_parameters (all that is trained besides the adapters),
    trained_parameters, seconds, and done: seconds from the start of the run to the end of the cycle.
    """
    table = pd.DataFrame([cycle.model_dump() for cycle in report.cycles])
    if table.empty:
        return table
    return table.assign(
        name=[cycle_name(cycle) for cycle in table["cycle"]],
        head_parameters=table["trained_parameters"] - table["adapter_parameters"],
        done=report.start_seconds + table["seconds"].cumsum(),
    )


def counts_table(preview: Preview) -> pd.DataFrame:
    """Images by class and split: columns class, train, val, test; a row for each class, in the dataset's order."""
    return pd.DataFrame({"class": preview.class_names, **preview.counts})
