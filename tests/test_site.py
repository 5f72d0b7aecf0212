"""The documentation: built without a warning, asks no network, current, complete, and every command in it is one."""

from __future__ import annotations

import re
import shlex
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer

import face3d
from face3d.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
sys.path.insert(0, str(ROOT / "tools"))

from cli_reference import PAGE as CLI_PAGE  # noqa: E402
from cli_reference import page as cli_page  # noqa: E402

#: element -> attributes that make a browser fetch what they name.
_FETCHED = {
    **dict.fromkeys(("script", "img", "iframe", "source", "video", "audio", "embed"), ("src", "srcset", "poster")),
    "link": ("href",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
}
#: Links that fetch nothing by themselves.
_NOT_FETCHED = {"canonical", "next", "prev", "edit", "alternate"}


class _Loads(HTMLParser):
    """What a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and set(given.get("rel", "").split()) <= _NOT_FETCHED:
            return
        wanted = [given.get(name, "") for name in _FETCHED.get(tag, ())] + re.findall(
            r"url\(([^)]+)\)", given.get("style", "")
        )
        self.elsewhere += [value for value in wanted if urlsplit(value.strip("'\"")).netloc]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does; a warning is an error."""
    pytest.importorskip("material", reason="no mkdocs-material: the site is not built")
    pytest.importorskip("mkdocstrings")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    out = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(out), strict=True)
    build(config)
    return out


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        text = page.read_text("utf-8")
        loads = _Loads()
        loads.feed(text)
        assert loads.elsewhere == [], page.name
        # The theme's script would fetch Mermaid for such a block, and numbers of stars for a repository's address.
        assert 'class="mermaid"' not in text and 'data-md-component="source"' not in text
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import\s*)['\"]?https?:", sheet.read_text("utf-8")), sheet.name


def test_the_parser_sees_what_it_must() -> None:
    loads = _Loads()
    loads.feed('<link rel="stylesheet" href="https://a.b/c.css"><script src="//a.b/c.js"></script><img src="own.png">')
    loads.feed('<a href="https://a.b">a link fetches nothing</a><link rel="canonical" href="https://a.b">')
    assert loads.elsewhere == ["https://a.b/c.css", "//a.b/c.js"]


def test_a_browser_asks_no_network(site: Path, browser) -> None:
    page = browser.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in ("index.html", "api.html", "tutorial.html"):
        page.goto((site / name).as_uri(), wait_until="networkidle")
    page.goto((site / "index.html").as_uri())
    page.locator(".md-search__input").fill("synkinesis")  # a page opened from disk can be searched
    page.locator(".md-search-result__item").first.wait_for()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []
    page.close()


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    there = set(re.findall(r"^::: (face3d\.\w+)$", (DOCS / "api.md").read_text("utf-8"), flags=re.MULTILINE))
    assert there == {f"face3d.{name}" for name in face3d.__all__ if name != "__version__"}
    text = (site / "api.html").read_text("utf-8")
    assert [name for name in sorted(there) if f'id="{name}"' not in text] == []


def test_the_command_line_page_is_current() -> None:
    assert CLI_PAGE.read_text("utf-8") == cli_page(), "run tools/cli_reference.py"


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in PAGES if f" {page.name}\n" not in nav] == []


def test_every_picture_is_shown_and_has_words() -> None:
    shown = [
        found
        for page in [*PAGES, ROOT / "README.md"]
        for found in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text("utf-8"))
    ]
    assert all(len(words) > 10 for words, _ in shown)
    assert {Path(path).name for _, path in shown} == {p.name for p in (DOCS / "images").iterdir()}


def test_every_command_in_the_pages_is_one() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for page in [*PAGES, ROOT / "README.md"]:
        for block in re.findall(r"^```console\n(.*?)^```", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] != ["face3d"] or words[1].startswith("-"):
                    continue
                assert words[1] in commands, (page.name, line)
                options = {o for p in commands[words[1]].params for o in getattr(p, "opts", ())} | {"--help"}
                assert {w.split("=")[0] for w in words[2:] if w.startswith("--")} <= options, (page.name, line)


#: Words by which a text would claim a medical purpose, and those that deny one.
_PURPOSE = re.compile(
    r"diagnos\w*|treatment decision\w*|clinical decision\w*|treatment plan\w*|therapy decision\w*", re.IGNORECASE
)
_DENIED = re.compile(r"\b(no|not|nothing|never|neither|nor|without)\b", re.IGNORECASE)


def _claims(text: str) -> list[str]:
    """The sentences that name diagnosis or a decision on treatment without denying it."""
    sentences = re.split(r"(?<=[.!?])\s+|\n\s*\n|\n[-|#]", text)
    return [s for s in sentences if _PURPOSE.search(s) and not _DENIED.search(s)]


def test_no_text_names_a_medical_purpose() -> None:
    assert _claims("It helps to diagnose palsies.") and not _claims("No output states a diagnosis.")
    texts = [
        *PAGES,
        ROOT / "README.md",
        ROOT / "CITATION.cff",
        ROOT / "pyproject.toml",
        *(ROOT / "notebooks").glob("*.ipynb"),
    ]
    texts += [
        *(ROOT / "src/face3d/app").glob("*.html"),
        *(ROOT / "src/face3d/report").glob("*.html"),
        *(ROOT / "src/face3d/cli").glob("*.py"),
    ]
    for path in texts:
        assert _claims(path.read_text("utf-8")) == [], path.name


def test_every_text_that_is_met_first_says_research_use_only() -> None:
    for path in (ROOT / "README.md", DOCS / "index.md", DOCS / "limits.md", ROOT / "CITATION.cff", ROOT / "mkdocs.yml"):
        assert re.search(r"research use only", path.read_text("utf-8"), re.IGNORECASE), path.name
