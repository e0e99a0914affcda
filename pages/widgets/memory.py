"""Memory that reruns do not need any more goes back to the system."""

import contextlib
import ctypes

import streamlit as st

ARENAS, TRIM_BYTES = 2, 128 * 1024
_ARENA_MAX, _TRIM_THRESHOLD = -8, -1
"""What `mallopt` calls them, in malloc.h."""


@st.cache_resource(show_spinner=False)
def spare() -> None:
    """Once per server. Every rerun is a thread of its own, and each would get a heap of its own from glibc.

    With twenty tabs that came to 200 MB that nothing needed. Other C libraries have no such heaps, and are left alone.
    """
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL("libc.so.6")
        allocator.mallopt(_ARENA_MAX, ARENAS)
        allocator.mallopt(_TRIM_THRESHOLD, TRIM_BYTES)
