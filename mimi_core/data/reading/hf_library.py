"""The library `datasets`, imported when it is needed, and quiet."""

import importlib
from functools import cache
from typing import Any

from mimi_core.errors import DataError

INSTALL = "pip install 'datasets>=4'"


@cache
def library_datasets() -> Any:
    """The module `datasets`, quiet.

    Raises:
        DataError: it is not installed. A folder of that name in the working directory can be imported, too.
    """
    try:
        library = importlib.import_module("datasets")
        version = str(library.__version__)
    except (ImportError, AttributeError) as error:
        raise DataError(f"datasets named hf:.. are read by the library datasets: {INSTALL}") from error
    if int(version.split(".")[0]) < 4:
        raise DataError(f"datasets {version} runs programs that come with datasets, and is not used: {INSTALL}")
    library.disable_progress_bars()
    library.logging.set_verbosity(library.logging.CRITICAL)
    return library
