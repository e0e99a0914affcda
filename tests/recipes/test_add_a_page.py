"""A page is one new file: it is in the menu, in its place, and at its address with what the query says."""

from .conftest import House

FILE = "pages/almanac.py"
PAGE = '''
"""Almanac: how many runs there are."""

import streamlit as st

from pages.widgets import stores
from pages.widgets.menu import Page, link_to, through_app

PAGE = Page(title="Almanac", icon=":material/menu_book:", order=35)


def main() -> None:
    through_app()
    st.title(f"{len(stores.all_runs())} runs", anchor=False)
    st.caption(f"about {st.query_params.get('run')}")
    link_to("almanac")


if __name__ == "__main__":
    main()
'''


def test_a_page_is_one_new_file(house: House) -> None:
    house.add(FILE, PAGE)
    said = house.python(
        """
        from streamlit.testing.v1 import AppTest
        from pages.widgets.menu import pages

        names = list(pages())
        print(names[names.index("almanac") - 1], names[names.index("almanac") + 1], pages()["almanac"].title)
        app = AppTest.from_file("app.py", default_timeout=60).run()
        app.switch_page("pages/almanac.py")
        app.query_params["run"] = "x"
        app.run()
        assert not app.exception
        print(app.title[0].value, app.caption[0].value)
        link = app.get("page_link")[0].proto
        print(link.page, link.label, link.icon)
        """
    )
    assert said.splitlines() == [
        "monitor widths Almanac",
        "0 runs about x",
        "almanac Almanac :material/menu_book:",
    ]
    assert house.changed() == {FILE}
