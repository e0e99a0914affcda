"""Pages opened for tests, and what they say."""

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from pages.widgets.menu import pages

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<img src=x onerror=alert(1)> ![p](http://e.example/p.png) [x](javascript:alert(1)) :red[x] $a$ **b** `c`"
Open = Callable[..., AppTest]
MakeRun = Callable[..., str]


def opened(page: str, **query: str) -> AppTest:
    """A page by the name of its file, as a deep link with this query would show it."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=20)
    file = f"pages/{page}.py"
    if page != next(iter(pages())):  # the one that a bare address shows
        app.run()
        app.switch_page(file)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    """All that the page says, as the Markdown that it is."""
    kinds = ("title", "markdown", "caption", "error", "info", "warning", "success")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label == label)
