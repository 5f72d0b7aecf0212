"""The rooms of the house import in one direction, and no file stands in a circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import face3d

SOURCE = Path(face3d.__file__).parent
#: A room may import the rooms of the lines before its own, those before it in its line, and itself.
ORDER = (
    ("errors",),
    ("values", "landmarks", "threads", "visits"),
    ("scan", "extras", "reference"),
    ("exam", "geometry"),
    ("io",),
    ("landmarking",),
    ("template",),
    ("measuring",),
    ("sequence",),
    ("simulate",),
    ("grading",),
    ("learn",),
    ("report",),
    ("export", "viewing"),
    ("batch",),
    ("app",),
    ("cli",),
)
#: Truth is made by the same rules as measurements; what measures and grades knows nothing of simulated faces.
NEVER = {("grading", "simulate"), ("report", "simulate")}


def imports() -> dict[str, set[str]]:
    """Module -> modules of ours that it imports, inside functions as well."""
    names = {
        ".".join(f.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for f in SOURCE.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name in names - {"__init__"}:
        file = SOURCE / (name.replace(".", "/") + ".py")
        file = file if file.is_file() else SOURCE / name.replace(".", "/") / "__init__.py"
        here = found.setdefault(name, set())
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("face3d."):
                module = node.module.removeprefix("face3d.")
                parts = {f"{module}.{a.name}" for a in node.names} & names
                here |= parts or {module}
    return found


def test_rooms_import_downwards() -> None:
    order = [room for line in ORDER for room in line]
    wrong = []
    for module, targets in imports().items():
        room = module.split(".")[0]
        for target in targets:
            other = target.split(".")[0]
            if other != room and (order.index(other) > order.index(room) or (room, other) in NEVER):
                wrong.append(f"{module} -> {target}")
    assert not wrong, sorted(wrong)


def test_no_file_stands_in_a_circle() -> None:
    TopologicalSorter(imports()).prepare()  # raises CycleError, which names the circle
