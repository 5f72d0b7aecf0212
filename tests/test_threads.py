"""The limit holds inside, also for several callers at a time, and nothing of it stays."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from face3d.threads import one_blas_thread, one_torch_thread


def counts() -> set[int]:
    assert np.linalg.inv(np.eye(3)).shape == (3, 3)  # BLAS is loaded
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_one_inside_and_as_before_outside() -> None:
    with threadpool_limits(2, "blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert counts() == {1}
        first.__exit__(None, None, None)  # the first one leaves first
        assert counts() == {1}
        second.__exit__(None, None, None)
        assert counts() == {2}


def test_torch_has_one_inside_and_as_before_outside() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_overlapping_torch_callers_leave_it_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    inside, left = threading.Barrier(2), threading.Event()

    def first() -> None:
        with one_torch_thread():
            inside.wait()
        left.set()

    def second() -> None:
        with one_torch_thread():
            inside.wait()
            left.wait()  # the first one leaves first
            assert torch.get_num_threads() == 1

    with ThreadPoolExecutor(2) as pool:
        for done in (pool.submit(first), pool.submit(second)):
            done.result()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
