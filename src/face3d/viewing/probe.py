"""Native libraries are tried in a child process: VTK without a usable graphics library ends the process it is in."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import cache

#: Longest that a child may take, seconds: a first import from a cold disk takes tens of them.
TIMEOUT_S = 180.0


@cache
def in_child(code: str) -> str:
    """Runs Python code in a process of its own; "" when it went well, otherwise what went wrong in one line. Code that
    was tried is not tried again."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"gave no answer within {TIMEOUT_S:.0f} s"
    if child.returncode == 0:
        return ""
    last = (child.stderr.strip().splitlines() or ["without a word"])[-1]
    return f"kills the process ({signal.Signals(-child.returncode).name}): {last}" if child.returncode < 0 else last
