"""Pages in a browser, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pages import Opened


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def open_(html: str, width: int = 1280, height: int = 800, script: str = "") -> Opened:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        made = Opened(context.new_page())
        made.page.set_default_timeout(120_000)
        made.page.on("console", lambda message: made.said.append(message.text))
        made.page.on("pageerror", lambda error: made.said.append(str(error)))
        made.page.on("request", lambda request: made.asked.append(request.url))
        if script:
            made.page.add_init_script(script)
        made.page.goto(file.as_uri())
        made.asked.remove(file.as_uri())
        return made

    yield open_
    for context in contexts:
        context.close()
