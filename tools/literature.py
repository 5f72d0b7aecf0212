"""Writes docs/literature.md: the published systems and our counterpart of each, with figures that stand elsewhere.

    python tools/literature.py [--check]

tools/literature.json has a row each: what was published is written there by hand, our figures are quoted from where
they were measured: [[validation: row @ figure]] stands for the figure, and only as long as it stands in the line of
docs/validation.md that holds the words before the @ (model_card: docs/model_card.md). A figure that moved, a function
that is gone, or a row without its reason raises.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "literature.md"
_QUOTED = re.compile(r"\[\[(\w+): (.+?) @ (.+?)\]\]")
HEAD = """# The literature, row by row

Written by `tools/literature.py` from `tools/literature.json`; not edited by hand. Numbers are those of a review's
references. Published figures are their authors', on their data; ours are quoted from [validation.md](validation.md) and
[model_card.md](model_card.md), where it stands how they were measured. **All of ours are on simulated people: no row
compares two systems on the same faces**, and the last column says what else keeps figures apart. "Not measured" is said
where nothing was, "not looked up" where the paper itself was not read.

| ref | published system | its figure | its data | here | ours | on | not comparable |
|---|---|---|---|---|---|---|---|
"""


def figure(page: str, where: str, what: str) -> str:
    """The figure, which must stand in a line of the page with the words of `where`. Raises ValueError."""
    file = ROOT / "docs" / f"{page}.md"
    # A sentence may run over a line's end.
    lines = file.read_text(encoding="utf-8").splitlines()
    joined = [a + " " + b if not a.startswith("|") else a for a, b in zip(lines, [*lines[1:], ""], strict=True)]
    if not any(where in line and what in line for line in joined):
        raise ValueError(f"{file.name}: no line with {where!r} and {what!r}; the figure has moved")
    return what


def named(counterpart: str) -> str:
    """A counterpart as it is shown; it must exist. Raises ValueError."""
    if counterpart.startswith("face3d "):
        from face3d.cli import app

        known = {c.name or c.callback.__name__.replace("_", "-") for c in app.registered_commands if c.callback}
        if counterpart.split()[1] not in known:
            raise ValueError(f"{counterpart}: no such command; there are {', '.join(sorted(known))}")
        return f"`{counterpart}`"
    module, _, name = counterpart.rpartition(".")
    try:
        found = importlib.import_module(module)
        if not hasattr(found, name):
            importlib.import_module(counterpart)
    except ImportError as error:
        raise ValueError(f"{counterpart}: is not there ({error})") from None
    return f"`{counterpart}`"


def row(entry: dict[str, Any]) -> str:
    """One line of the table."""
    reached = _QUOTED.sub(lambda m: figure(*m.groups()), entry["reached"])
    if "[[" in reached or not entry["apart"] or not entry["published"]:
        raise ValueError(f"{entry['system']}: a quotation that cannot be read, or a field without a word")
    ours = ", ".join(named(c) for c in entry["ours"]) or "-"
    cells = (
        entry["refs"],
        entry["system"],
        entry["published"],
        entry["data"],
        ours,
        reached,
        entry["on"],
        entry["apart"],
    )
    return "| " + " | ".join(cells) + " |\n"


def page() -> str:
    """What the page says now."""
    entries = json.loads((ROOT / "tools" / "literature.json").read_text(encoding="utf-8"))
    return HEAD + "".join(row(e) for e in entries)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page is what it would be now")
    now = page()
    if parser.parse_args().check:
        sys.exit(0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == now else f"{PAGE} is not current")
    PAGE.write_text(now, encoding="utf-8")


if __name__ == "__main__":
    main()
