"""What an embedded file was made from: hashes of all that went in, recorded in its provenance, compared later.

A record is flat, name -> SHA-256: data files by their bytes, tools and rooms of face3d by their code without comments
and docstrings (a reworded comment makes nothing stale); commands stand as they are. Files from outside the repository
that are not there are "absent". Only `make_data.py` writes records: who runs a tool by hand leaves none, for nobody
knows then what its work folder was made from.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Mapping
from functools import cache
from pathlib import Path

Record = Mapping[str, str]
KEY, ABSENT = "made_from", "absent"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def of_file(file: Path) -> str:
    return digest(file.read_bytes()) if file.exists() else ABSENT


def of_code(place: Path) -> str:
    """Of a Python file, or of all in a folder and below."""
    if place.is_file():
        return digest(code(place.read_text(encoding="utf-8")).encode())
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: no such code; tools/data_steps.py names it")
    inside = sorted(place.rglob("*.py"))
    return digest("".join(f"{f.relative_to(place).as_posix()} {of_code(f)}\n" for f in inside).encode())


@cache
def code(text: str) -> str:
    """Source without comments, docstrings and empty lines; the same in every version of Python."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            first = body[0]
            if isinstance(first.value, ast.Constant) and isinstance(first.value.value, str) and first.end_lineno:
                lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "".join(f"{line.rstrip()}\n" for line in lines if line.strip())


def with_helpers(tool: Path) -> list[Path]:
    """A tool and those beside it that it imports, or starts: whose file names stand in it."""
    found, todo = {tool}, [tool]
    while todo:
        names: set[str] = set()
        for node in ast.walk(ast.parse(todo.pop().read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {f"{alias.name}.py" for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(f"{node.module}.py")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".py"):
                names.add(node.value)
        new = {tool.parent / n for n in names if "/" not in n and (tool.parent / n).is_file()} - found
        found |= new
        todo += sorted(new)
    return sorted(found)


def provenance(file: Path) -> Path:
    """Where it stands what an embedded file was made from: beside arrays, inside a JSON file."""
    return file.with_suffix(".json")


def read(file: Path) -> Record | None:
    """What an embedded file says that it was made from; None where it does not know."""
    note = provenance(file)
    found = json.loads(note.read_text(encoding="utf-8")).get(KEY) if note.exists() else None
    return found if isinstance(found, dict) else None


def stamp(file: Path, record: Record) -> None:
    """Writes into an embedded file's provenance what it was made from, in the style that the provenance is in."""
    note = provenance(file)
    text = note.read_text(encoding="utf-8")
    lines = text.splitlines()
    indent = len(lines[1]) - len(lines[1].lstrip()) if len(lines) > 1 else None
    whole = json.loads(text) | {KEY: dict(sorted(record.items()))}
    half = note.with_suffix(".half")
    half.write_text(json.dumps(whole, indent=indent) + "\n", encoding="utf-8")
    half.replace(note)


def changed(then: Record, now: Record) -> list[str]:
    """Names whose values differ, or that only one of the two has."""
    return [n for n in sorted(then.keys() | now.keys()) if then.get(n) != now.get(n)]


def is_room(name: str) -> bool:
    """Whether it is code of face3d itself, a change of which seldom moves what a tool makes with it."""
    return name.startswith("src/face3d/")


def is_whole(file: Path) -> bool:
    """Whether a file is the one that its provenance gives the SHA-256 of, if it gives one."""
    known = json.loads(provenance(file).read_text(encoding="utf-8")).get("sha256")
    return known is None or file == provenance(file) or known == of_file(file)
