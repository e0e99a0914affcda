"""Which names the app answers to, checked before anything else sees a request.

A page of a stranger can make a browser connect to a server that only this machine reaches: by a script of its own, with
a foreign `Origin`, or by pointing its own name at this machine's address (DNS rebinding), with `Origin` and `Host` both
the stranger's. So `Host` must be a name that is known here, and a websocket's `Origin` must be that same place.
"""

import os
import socket
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

import psutil
import streamlit as st
from starlette.types import ASGIApp, Receive, Scope, Send

SETTING = "MIMI_HOSTS"
"""More names that the app answers to, separated by commas or spaces; `*.example.org` and `*` are understood."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")
LONGEST_SHOWN = 100


class KnownHosts:
    """ASGI middleware that lets in what is meant for this server, and refuses the rest without looking anything up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        hosts, origins = _header(scope, b"host"), _header(scope, b"origin")
        if len(hosts) != 1 or not answers_to(hosts[0]):
            await _refuse(scope, send, _to_another_name(", ".join(hosts)))
        elif scope["type"] == "websocket" and origins:
            await self._from(origins, hosts[0], scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _from(self, origins: list[str], host: str, scope: Scope, receive: Receive, send: Send) -> None:
        """A websocket that says from which page it comes."""
        if [_place(origin) for origin in origins] == [host.lower()]:
            await self.app(scope, receive, send)
        elif len(origins) == 1 and origins[0] in st.get_option("server.corsAllowedOrigins"):
            # A proxy that keeps its own name. Streamlit would look up this machine's addresses on the network before it
            # reads the list, unless both are the same.
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            named = (b"host", _place(origins[0]).encode("latin-1"))
            await self.app({**scope, "headers": [named, *others]}, receive, send)
        else:
            await _refuse(scope, send, "This page does not come from the app itself.\n")


def answers_to(host: str) -> bool:
    """Whether a request's `Host` is a name of this server."""
    name = _name(host)
    return name is not None and (_listed(name, _named()) or name in _own_addresses())


def _name(host: str) -> str | None:
    """The name in a `Host` header, in lower case and without its port. None when it is none."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        return None
    if parts.netloc != host or "@" in host:
        return None
    return (name or "").removesuffix(".") or None


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _named() -> Iterator[str]:
    """Names and patterns that this machine, or whoever started the app, says are its own."""
    yield from LOOPBACK
    yield from os.environ.get(SETTING, "").replace(",", " ").split()
    yield from st.get_option("server.allowedHosts")
    for option in ("server.address", "browser.serverAddress"):
        yield st.get_option(option) or ""


def _listed(name: str, patterns: Iterable[str]) -> bool:
    known = [pattern.strip().strip("[]").lower().removesuffix(".") for pattern in patterns]
    return name in known or any(
        pattern == "*" or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in known
    )


def _own_addresses() -> set[str]:
    """Of this machine, when the server listens at all of them; read from the system, not looked up."""
    if (st.get_option("server.address") or EVERYWHERE[0]) not in EVERYWHERE:
        return set()
    interfaces = psutil.net_if_addrs().values()
    addresses = {one.address.partition("%")[0].lower() for interface in interfaces for one in interface}
    return addresses | {socket.gethostname().lower()}


def _header(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _to_another_name(asked: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in asked[:LONGEST_SHOWN])
    return (
        f"This app does not answer to the name {shown or '(none)'}.\n\n"
        "It knows localhost and the address that it was told to listen at. Whoever runs it can name others before it "
        f"starts: mimi app --allow-host NAME, or {SETTING}=NAME in the environment.\n"
    )


async def _refuse(scope: Scope, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before it was accepted: HTTP 403
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})
