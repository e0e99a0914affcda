"""How much main memory, and how much of a disk, this process may still take."""

import re
import resource
import sys
from pathlib import Path

import psutil

_CGROUPS = (  # limit, use and statistics of the container this process is in, versions 2 and 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)


def free_bytes() -> int:
    """Bytes that are free on this machine, within the limit of its container, and in this process's address space."""
    free = min(int(psutil.virtual_memory().available), _addresses_left())
    for limit, used, statistics in _CGROUPS:
        try:
            taken = int(Path(used).read_text()) - _reclaimable(Path(statistics).read_text())
            left = int(Path(limit).read_text()) - taken
        except (OSError, ValueError):  # no such file: not in a container of this kind; "max": no limit
            continue
        free = min(free, left)
    return max(free, 0)


def _addresses_left() -> int:
    """Bytes until the limit of this process's address space (`ulimit -v`), where it has one."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else int(limit - psutil.Process().memory_info().vms)


def free_disk_bytes(folder: Path) -> int:
    """Bytes that are free on the disk of `folder`; none where that disk is memory (tmpfs) or cannot be looked at."""
    try:
        real = folder.resolve(strict=True)
        holding = [part for part in psutil.disk_partitions(all=True) if real.is_relative_to(part.mountpoint)]
        mounted = max(holding, key=lambda part: len(part.mountpoint), default=None)
        return 0 if mounted and mounted.fstype in ("tmpfs", "ramfs") else psutil.disk_usage(str(real)).free
    except OSError:
        return 0


def _reclaimable(statistics: str) -> int:
    """Bytes of file cache that count as used but are given up on demand."""
    match = re.search(r"^(?:total_)?inactive_file (\d+)$", statistics, re.MULTILINE)
    return int(match[1]) if match else 0
