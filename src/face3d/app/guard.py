"""Who may ask: only a browser on this machine that was given the token, and only from the app's own pages."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from face3d.app.receive import Bounds, too_large

#: Nothing from anywhere but the app's own files, and nothing within a page.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: browsers would then send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": POLICY,
}
_COOKIE = "face3d"
_SAFE = ("GET", "HEAD")


@dataclass(frozen=True)
class Keys:
    """What an app is opened with, new at each start. `token` stands in the address that is printed and is exchanged for
    the cookie `session`; `slug` begins the path of every page: cookies know no ports, so that another program's page on
    127.0.0.1 would be sent a cookie of the path "/". `form` stands in every form."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    slug: str = field(default_factory=lambda: secrets.token_hex(8))
    form: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def base(self) -> str:
        """What every path begins with, without a slash at its end."""
        return f"/{self.slug}"


Send = Callable[[Any], Awaitable[None]]


class Guard:
    """Stands before an ASGI app. `hosts` are the names, with port, under which the app may be asked for."""

    def __init__(self, app: Any, keys: Keys, hosts: Callable[[], Iterable[str]], bounds: Bounds) -> None:
        self._app, self._keys, self._hosts, self._bounds = app, keys, hosts, bounds

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Asks the app, or answers for it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets
            return

        async def secured(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", [])}
                own = [(k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in there]
                message = message | {"headers": [*message.get("headers", []), *own]}
            await send(message)

        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _answer(secured, *refusal)
        elif self._enters(scope):
            cookie = f"{_COOKIE}={self._keys.session}; Path={self._keys.base}/; HttpOnly; SameSite=Strict"
            await _answer(secured, 303, "", [("location", f"{self._keys.base}/"), ("set-cookie", cookie)])
        else:
            await self._app(scope, receive, secured)

    def _refusal(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        hosts = set(self._hosts())
        # Checked before anything else: a foreign name that leads to 127.0.0.1 is another site's.
        if headers.get("host") not in hosts or sum(k == b"host" for k, _ in scope["headers"]) != 1:
            return 421, "This address is not the app's: use the one that face3d serve printed."
        if not scope["path"].startswith(f"{self._keys.base}/"):
            return 404, "There is no such page: use the address that face3d serve printed."
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not self._enters(scope):
            return 403, "Another site asked for this page."
        if not self._enters(scope) and not self._known(headers):
            return 401, "Open the address that face3d serve printed, with its token; it is new at each start."
        if scope["method"] in _SAFE:
            return None
        if scope["method"] != "POST":
            return 405, "Not a way to ask."
        if headers.get("origin") not in {f"http://{host}" for host in hosts}:
            return 403, "Another site sent this form."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._bounds.body:
            return 413, too_large(self._bounds)
        return None

    def _enters(self, scope: Any) -> bool:
        """Whether somebody comes with the token, to exchange it for the cookie."""
        if scope["method"] != "GET" or scope["path"] != f"{self._keys.base}/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self._keys.token.encode())

    def _known(self, headers: dict[str, str]) -> bool:
        pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
        given = [value for name, _, value in pairs if name == _COOKIE]
        return any(hmac.compare_digest(v.encode(), self._keys.session.encode()) for v in given)


async def _answer(send: Send, status: int, text: str, more: Iterable[tuple[str, str]] = ()) -> None:
    body = f"{text}\n".encode()
    headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body))), *more]
    if status >= 400:  # what else may come with the request is not read
        headers.append(("connection", "close"))
    raw = [(k.encode(), v.encode()) for k, v in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def patient(seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol, but a connection on which no request has come whole within `seconds` is closed."""
    from face3d.extras import require

    base: Any = require("uvicorn.protocols.http.h11_impl").H11Protocol

    class Patient(base):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(seconds, self._look, transport)

        def _look(self, transport: Any) -> None:
            if self.cycle is None and not transport.is_closing():
                transport.close()

    return Patient
