"""Writes docs/cli.md: every command with its arguments and options, as the command line itself knows them.

    python tools/cli_reference.py

A test compares the page with what this writes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from face3d.cli import app

PAGE = Path(__file__).parents[1] / "docs/cli.md"
HEAD = """# Command line

Written by `tools/cli_reference.py` from the program itself; not edited by hand. Every command has `--help`, and
`--json` where it answers with something.

**Exit codes.** 0 done; 2 bad input or usage, with one line on standard error that names the file, the cause and the way
out; 4 some items of a batch failed; 130 interrupted; 1 a defect of ours, with its traceback.
"""


def page() -> str:
    """The whole page."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return HEAD + "".join(_command(name, command) for name, command in commands.items())


def _command(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    records = [(p.param_type_name, *p.get_help_record(context)) for p in command.params if p.name != "json"]
    arguments = [shown.split(" <")[0] for kind, shown, _ in records if kind == "argument"]
    usage = " ".join(["face3d", name, *arguments, *(["[OPTIONS]"] if len(records) > len(arguments) else [])])
    rows = "".join(f"| `{_cell(shown)}` | {_prose(_cell(text))} |\n" for _, shown, text in records)
    table = f"\n| | |\n|---|---|\n{rows}" if rows else ""
    return f"\n## {name}\n\n```text\n{usage}\n```\n\n{_paragraphs(command.help or '')}\n{table}"


def _paragraphs(text: str) -> str:
    r"""Help as Markdown: what \b keeps as it is written becomes a block."""
    return "\n\n".join(
        f"```text\n{part.lstrip(chr(8)).strip(chr(10))}\n```"
        if part.startswith("\b")
        else _prose(" ".join(part.split()))
        for part in re.split(r"\n\s*\n", text.strip())
    )


def _prose(text: str) -> str:
    """Options and places outside of backquotes, set as code."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"(?<![\w-])(--[a-z][\w-]*)", r"`\1`", part) for part in parts[::2]]
    return "".join(parts).replace("*", r"\*")


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
