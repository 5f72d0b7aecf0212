"""Values made ahead of who takes them, in a thread of their own: a frame is read while the one before is measured."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar, cast

T = TypeVar("T")

#: Frames that wait at most. Reading is steadier than measuring: more would take memory and gain nothing.
DEPTH = 4
_LOOK_S = 0.1  # how often a reader that waits for room looks whether anybody still wants its frames

_END = object()


def ahead(make: Callable[[threading.Event], Iterator[T]], depth: int = DEPTH) -> Iterator[T]:
    """What `make(stopped)` yields, in its order, at most `depth` of it ahead. Its error is raised where it arose.

    `stopped` is set when nobody takes values any more (the iterator was closed or dropped): what waits must look at it.
    """
    waiting: queue.Queue[Any] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_LOOK_S)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            with closing(cast(Any, make(stopped))) as values:
                for value in values:
                    if not put((value, None)):
                        return
            put((_END, None))
        except BaseException as error:
            put((_END, error))

    threading.Thread(target=work, name="face3d frames", daemon=True).start()
    try:
        while True:
            value, error = waiting.get()
            if error is not None:
                raise error
            if value is _END:
                return
            yield value
    finally:
        stopped.set()


def newest(make: Callable[[], Iterator[T]]) -> Iterator[T]:
    """What `make()` yields, but whatever a later value overtook while the taker was busy is left out.

    For who looks at what happens now, and must not fall behind. An error is raised when what came before it was taken.
    """
    there = threading.Condition()
    waiting: list[Any] = []
    ended: list[Any] = []
    stopped = threading.Event()

    def work() -> None:
        error = None
        try:
            with closing(cast(Any, make())) as values:
                for value in values:
                    with there:
                        waiting[:] = [value]
                        there.notify()
                    if stopped.is_set():
                        return
        except BaseException as raised:
            error = raised
        with there:
            ended.append(error)
            there.notify()

    threading.Thread(target=work, name="face3d newest frame", daemon=True).start()
    try:
        while True:
            with there:
                there.wait_for(lambda: waiting or ended)
                if not waiting:
                    if ended[0] is not None:
                        raise ended[0]
                    return
                value = waiting.pop()
            yield value
    finally:
        stopped.set()
