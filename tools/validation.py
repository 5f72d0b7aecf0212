"""Writes into docs/validation.md what the benchmarks said last: tables between markers, from benchmarks/results.

    python tools/validation.py [--check]

Between <!-- bench NAME --> and <!-- /bench --> stands what `tools/bench.py` kept of a benchmark: of its full run, or,
where there is none, of the quick one, marked so. All else on the page is written by hand and stays as it is.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import ALL, file_of

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"
_MARKED = re.compile(r"<!-- bench (\w+) -->\n.*?<!-- /bench -->", re.DOTALL)
_WHERE = re.compile(r"<!-- machines -->\n.*?<!-- /machines -->", re.DOTALL)


def kept(name: str) -> dict[str, Any] | None:
    """What is known of a benchmark, of its full run before a quick one; None where it was never run by the tool."""
    for quick in (False, True):
        if (file := file_of(name, quick)).exists():
            return json.loads(file.read_text(encoding="utf-8"))
    return None


def machines() -> Iterator[str]:
    """On what, and with which peers, the benchmarks were run."""
    runs = [found for b in ALL if (found := kept(b.name)) is not None]
    for machine, versions in dict.fromkeys((r["machine"], str(r["versions"])) for r in runs):
        ours = [r for r in runs if (r["machine"], str(r["versions"])) == (machine, versions)]
        peers = ", ".join(f"{name} {version}" for name, version in ours[0]["versions"].items())
        who = "All" if len(ours) == len(runs) else ", ".join(f"`{r['benchmark']}`" for r in ours)
        yield f"{who}: {machine}; {peers}."


def block(found: dict[str, Any]) -> Iterator[str]:
    """The lines of a benchmark."""
    look = "**a quick look, not for citing**: " if found["quick"] else ""
    call = f"benchmarks/{found['benchmark']}.py {found['arguments']}".rstrip()
    yield f"{look}`{call}`, {found['date']}, commit {found['commit']}, load {found['load_before']} when it began,"
    yield f"{found['seconds']} s by the clock, {found['cpu_seconds']} CPU s."
    for part in found["printed"]:
        yield ""
        if "text" in part:
            yield from ("```text", *part["text"].splitlines(), "```")
            continue
        yield f"*{part['title']}*"
        yield ""
        yield "| " + " | ".join(part["columns"]) + " |"
        yield "|" + "---|" * len(part["columns"])
        yield from ("| " + " | ".join(row) + " |" for row in part["rows"])


def page(text: str) -> str:
    """The page with its marked parts as they are now. Raises ValueError where a marker names no benchmark, or a
    benchmark that was run has no place on the page."""
    names = _MARKED.findall(text)
    if unknown := set(names) - {b.name for b in ALL}:
        raise ValueError(f"{PAGE.name}: no benchmark is called {sorted(unknown)[0]}")
    if homeless := [b.name for b in ALL if b.name not in names]:
        raise ValueError(f"{PAGE.name}: no place for {homeless[0]}; add <!-- bench {homeless[0]} --> <!-- /bench -->")

    def filled(match: re.Match[str]) -> str:
        found = kept(match.group(1))
        body = "Not run by `make bench` yet." if found is None else "\n".join(block(found))
        return f"<!-- bench {match.group(1)} -->\n{body}\n<!-- /bench -->"

    text = _WHERE.sub(lambda _: "\n".join(["<!-- machines -->", *machines(), "<!-- /machines -->"]), text)
    return _MARKED.sub(filled, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page is what it would be now")
    before = PAGE.read_text(encoding="utf-8")
    now = page(before)
    if parser.parse_args().check:
        sys.exit(0 if now == before else f"{PAGE} is not current: python tools/validation.py")
    PAGE.write_text(now, encoding="utf-8")


if __name__ == "__main__":
    main()
