"""Files are taken from tabs whose person may look, and from no others: each is held in memory until the tab is gone."""

from collections import OrderedDict

from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime.scriptrunner import get_script_run_ctx

PATH = "/_stcore/upload_file/"
MOST = 10_000
"""Tabs that are remembered; one that is older is let in again when its page is drawn again."""
_let_in: OrderedDict[str, None] = OrderedDict()


def let_in() -> None:
    """The tab that is drawn now may send files."""
    context = get_script_run_ctx()
    if context is not None:
        _let_in[context.session_id] = None
        _let_in.move_to_end(context.session_id)
        if len(_let_in) > MOST:
            _let_in.popitem(last=False)


class FromKnownTabs:
    """ASGI middleware that refuses a file before any of it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] != "OPTIONS" and PATH in scope["path"]:
            tab = scope["path"].partition(PATH)[2].partition("/")[0]
            if tab not in _let_in:
                await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)
