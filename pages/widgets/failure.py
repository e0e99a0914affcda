"""A run that failed, opened in the form of Launch: its settings, and what went wrong where it can be mended."""

from dataclasses import dataclass

import streamlit as st

from mimi_core.config import RunConfig
from mimi_core.config.settings import link, value_at
from mimi_core.errors import MimiError
from pages.widgets import stores
from pages.widgets.launch_form import Remark
from pages.widgets.setting_words import in_words, mentioned

FAILED = "failed"
"""What the address of Launch calls the run."""


@dataclass(frozen=True)
class Failure:
    title: str
    message: str
    config: RunConfig


def query(run_id: str, config: RunConfig) -> dict[str, str | list[str]]:
    """The address of the form with the settings of a run that failed."""
    filled = link(config)
    return {"preset": filled["preset"], "set": filled["set"], FAILED: run_id}


def of_the_address() -> Failure | None:
    """The run that the address names as failed, if it is here and did."""
    asked = st.query_params.get(FAILED)
    stored = next((stored for stored in stores.all_runs() if stored.run.id == asked), None) if asked else None
    if stored is None or stored.run.phase != "failed":
        return None
    try:
        return Failure(stored.run.title, stored.run.message, stored.store.config(stored.run.id))
    except MimiError:
        return None


def remarks(failure: Failure | None) -> dict[str, Remark]:
    """Setting -> why the run failed, for those that the reason names."""
    if failure is None:
        return {}
    named = mentioned(failure.message)
    return {path: Remark(value_at(failure.config, path), failure.message) for path in named}


def show(failure: Failure | None, config: RunConfig) -> None:
    """That these are the settings of a run that failed, for as long as nothing is changed."""
    if failure is not None and link(config) == link(failure.config):
        st.warning(
            f"These are the settings of **{in_words(failure.title)}**, which failed: "
            f"{in_words(failure.message or 'no reason was given')}",
            icon=":material/error:",
        )
