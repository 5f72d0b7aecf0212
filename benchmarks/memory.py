"""How much memory a process has had at most."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mb() -> float:
    """MB of this program since it was started; Linux. `resource` would count what the program that started it had."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return int(found.group(1)) / 1024
