"""The app as one server on this machine, reachable from nowhere else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from face3d.app.check import Checker
from face3d.app.guard import Guard, Keys, patient
from face3d.app.receive import Bounds
from face3d.app.roots import Root
from face3d.app.runner import Runner
from face3d.app.vault import Vault
from face3d.app.work import warm, work
from face3d.batch.lane import Limits, Work
from face3d.batch.lock import claimed
from face3d.errors import OutputError
from face3d.extras import require

#: The only address that is listened on.
ADDRESS = "127.0.0.1"
#: Seconds in which a request's head must have come; connections at a time.
_HEAD, _CONNECTIONS = 10.0, 200
_LIMITS, _BOUNDS = Limits(), Bounds()


@contextmanager
def opened(
    data: Path,
    roots: tuple[Path, ...] = (),
    port: int = 0,
    workers: int = 1,
    limits: Limits = _LIMITS,
    bounds: Bounds = _BOUNDS,
    doing: Work = work,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address to open, its token included, and a function that serves until it is interrupted.

    `port` 0: any that is free. Raises `OutputError` where the folder `data` cannot be used or another server holds it,
    or the port is taken.
    """
    for module in ("fastapi", "uvicorn", "python_multipart"):
        require(module)
    found = tuple(Root(root, data) for root in roots)
    vault, keys = Vault(data), Keys()
    with ExitStack() as closing:
        closing.callback(vault.store.close)
        closing.enter_context(claimed(vault.results, str(data)))
        listener = closing.enter_context(_listening(port))
        try:
            runner = Runner(vault, workers, limits, doing, warm if doing is work else None)
        except OSError as error:
            raise OutputError(f"{data}: cannot be written: {error.strerror}; make room first") from None
        closing.callback(runner.stop)
        checker = Checker()
        closing.callback(checker.stop)
        host = f"{ADDRESS}:{listener.getsockname()[1]}"
        config = require("uvicorn").Config(
            _app(vault, runner, checker, keys, bounds, found, host),
            http=patient(_HEAD),
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,  # addresses and times of clinicians' work are nobody's business
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        server = require("uvicorn").Server(config)

        def run() -> None:
            with suppress(KeyboardInterrupt):  # how it is meant to end
                server.run(sockets=[listener])

        yield f"http://{host}{keys.base}/?token={keys.token}", run


def _app(
    vault: Vault, runner: Runner, checker: Checker, keys: Keys, bounds: Bounds, roots: tuple[Root, ...], host: str
) -> Any:
    from fastapi import FastAPI

    from face3d.app.routes import Desk, router, say_errors

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    desk = Desk(vault, runner, checker, keys, bounds, roots)
    app.include_router(router(desk))
    say_errors(app, desk)
    names = (host, host.replace(ADDRESS, "localhost"))
    return Guard(app, keys, lambda: names, bounds)


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
            listener.listen(128)  # who comes before the server is ready waits
        except OSError as error:
            raise OutputError(f"port {port}: cannot be used ({error.strerror}); give another with --port") from None
        yield listener
