"""A browser tab without the browser: speaks Streamlit's websocket, so that only the server is measured."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect

PATIENCE = 60.0


@dataclass
class Answer:
    """What a rerun sent back."""

    seconds: float
    """From asking to the last message."""
    bytes: int
    failed: bool
    text: str = ""
    """All headings, paragraphs and messages."""
    widgets: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Label -> kind of widget, its id, and the fragment that it is in."""
    clocks: dict[str, float] = field(default_factory=dict)
    """Fragment that wants to run again by itself -> seconds between two runs."""


class Tab:
    """One session. `open` asks for a page as a deep link does; `change` moves one widget of it."""

    def __init__(self, address: str, headers: Mapping[str, str] | None = None, protocols: Sequence[str] = ()) -> None:
        """`headers` and further `protocols` of the handshake are what a browser has from before, such as cookies."""
        self._url = f"ws://{address}/_stcore/stream"
        self._headers, self._protocols = dict(headers or {}), ["streamlit", *protocols]
        self._page, self._query = "", ""
        self._connection: ClientConnection | None = None
        self.session = ""
        """What the server calls this tab, once it has drawn a page."""

    def __enter__(self) -> Self:
        self._connection = connect(
            self._url,
            subprotocols=self._protocols,
            additional_headers=self._headers,
            max_size=None,
            compression=None,
        )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._connection is not None
        self._connection.close()

    def open(self, page: str, query: str = "") -> Answer:
        self._page, self._query = page, query
        return self._ask()

    def change(self, answer: Answer, label: str, **value: object) -> Answer:
        """Move the widget with this label, as `string_value=..` or whatever its kind sends."""
        _, widget, fragment = answer.widgets[label]
        return self._ask(WidgetState(id=widget, **value), fragment)  # type: ignore[arg-type]

    def tick(self, fragment: str) -> Answer:
        """What a browser does when a fragment's clock is up."""
        return self._ask(fragment=fragment, by_itself=True)

    def _ask(self, widget: WidgetState | None = None, fragment: str = "", by_itself: bool = False) -> Answer:
        assert self._connection is not None
        message = BackMsg()
        state = message.rerun_script
        state.page_name, state.query_string, state.fragment_id = self._page, self._query, fragment
        state.is_auto_rerun = by_itself
        if widget is not None:
            state.widget_states.widgets.append(widget)
        started = time.perf_counter()
        self._connection.send(message.SerializeToString())
        answer, received = Answer(0.0, 0, False), ForwardMsg()
        while True:
            content = self._connection.recv(PATIENCE)
            assert isinstance(content, bytes)
            answer.bytes += len(content)
            received.ParseFromString(content)
            _note(received, answer)
            self.session = received.new_session.initialize.session_id or self.session
            if received.WhichOneof("type") == "script_finished":
                if received.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                answer.seconds = time.perf_counter() - started
                return answer


def _note(message: ForwardMsg, answer: Answer) -> None:
    kind = message.WhichOneof("type")
    if kind == "auto_rerun":
        answer.clocks[message.auto_rerun.fragment_id] = message.auto_rerun.interval
    if kind != "delta" or message.delta.WhichOneof("type") != "new_element":
        return
    element = message.delta.new_element
    what = element.WhichOneof("type")
    if what == "exception":
        answer.failed = True
    answer.text += "".join(
        f"{part}\n" for kind in ("markdown", "heading", "alert") for part in [getattr(element, kind).body] if part
    )
    drawn = getattr(element, what or "", None)
    if hasattr(drawn, "id") and hasattr(drawn, "label"):
        answer.widgets[drawn.label] = (what or "", drawn.id, message.delta.fragment_id)
