"""One thread where matrices are small: on a busy machine more of them wait for each other many times longer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside: list[Any] = []
_torch_before: list[int] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it BLAS runs on one thread, process-wide; the last of several callers at a time that leaves restores what
    the first one found."""
    from threadpoolctl import threadpool_limits

    with _lock:
        # The first one's limit also remembers what was before; later ones find it set.
        _inside.append(threadpool_limits(1, "blas") if not _inside else _inside[0])
    try:
        yield
    finally:
        with _lock:
            limit = _inside.pop()
            if not _inside:
                limit.restore_original_limits()


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Within it torch runs on one thread, process-wide; the last of several callers at a time that leaves restores what
    the first one found."""
    import torch

    with _lock:
        _torch_before.append(_torch_before[0] if _torch_before else torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            before = _torch_before.pop()
            if not _torch_before:
                torch.set_num_threads(before)
