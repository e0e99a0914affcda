"""Whether the system has killed for lack of memory."""

import contextlib
import re
from pathlib import Path


def oom_kills() -> int | None:
    """How often the system has killed for lack of memory, in this container where it has its own count; or None."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        with contextlib.suppress(OSError):
            match = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
            if match:
                return int(match[1])
    return None


def is_more(before: int | None, now: int | None) -> bool:
    """Whether it killed between two counts of `oom_kills`."""
    return before is not None and now is not None and now > before
