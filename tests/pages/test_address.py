"""Controls follow the page's address, and the address follows them; labels can be told apart."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.widgets.text import distinct


def page() -> None:
    import streamlit as st

    from pages.widgets import address

    cut = address.one_of("cycle", range(1, 4), 3)
    st.selectbox("Cut", [1, 2, 3], **cut.control)
    scope = address.one_of("scope", ("global", "local"), "global", leave_out_usual=True)
    st.segmented_control("Scope", ["global", "local"], **scope.control)
    other = address.one_of("with", (None, "a", "b"), None)
    st.selectbox("Other", ["a", "b"], index=None, **other.control)
    layers = address.some_of("layer", ["x", "y"])
    st.multiselect("Layers", ["x", "y"], **layers.control)
    st.markdown(f"{cut.value} {scope.value} {other.value} {layers.value}")
    st.button("Reset", on_click=address.tell, args=({"cycle": None, "with": "b"},))


def opened(**query: str | list[str]) -> AppTest:
    app = AppTest.from_function(page, default_timeout=20)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def in_address(app: AppTest, name: str) -> list[str]:
    value = app.query_params[name]
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "3 global None []"),
        ({"cycle": "2", "scope": "local", "with": "a", "layer": ["y", "x"]}, "2 local a ['y', 'x']"),
        ({"cycle": "4", "scope": "", "with": "c", "layer": ["z", "x"]}, "3 global None ['x']"),
        ({"cycle": "²"}, "3 global None []"),
    ],
)
def test_the_address_decides_and_what_it_does_not_know_is_as_usual(query: dict[str, str], said: str) -> None:
    assert opened(**query).markdown[0].value == said


def test_a_choice_is_in_the_address_before_the_page_is_drawn_again() -> None:
    app = opened()
    assert dict(app.query_params) == {}, "what nobody chose is not said"
    app.selectbox(key="address.cycle").set_value(2).run()
    app.button_group(key="address.scope").set_value("local").run()
    app.selectbox(key="address.with").set_value("a").run()
    app.multiselect(key="address.layer").set_value(["x", "y"]).run()
    assert app.markdown[0].value == "2 local a ['x', 'y']"
    said = {"cycle": ["2"], "scope": ["local"], "with": ["a"], "layer": ["x", "y"]}
    assert {name: in_address(app, name) for name in said} == said
    app.button_group(key="address.scope").set_value("global").run()
    assert "scope" not in app.query_params
    app.selectbox(key="address.with").set_value(None).run()
    assert "with" not in app.query_params
    app.button[0].click().run()
    assert app.markdown[0].value == "3 global b ['x', 'y']"


def test_labels_are_distinct_whatever_the_words() -> None:
    words = {"a": "same", "b": "same", "c": "other", "d": "same (a)", "e": ""}
    labels = distinct(words, words.__getitem__)
    assert len(set(labels.values())) == len(words)
    assert (labels["b"], labels["c"], labels["e"]) == ("same (b)", "other", "")
