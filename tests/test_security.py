"""What could run somebody else's code, or tell somebody else: held by reading the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import face3d

SOURCE = Path(face3d.__file__).parent
#: Modules that unpack code along with data, and those that talk to other machines.
NEVER = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
NETWORK = {"socket", "requests", "httpx", "http.client", "urllib.request", "ftplib", "smtplib", "aiohttp"}
#: Rooms that reach other machines, where the user names these: stores and schedulers.
REACHING = {"batch", "app"}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for file in SOURCE.rglob("*.py"):
        name = file.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            yield name, node


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def test_nothing_that_unpickles_is_imported() -> None:
    found = {(name, module) for name, node in nodes() for module in imported(node) if module.split(".")[0] in NEVER}
    assert not found


def test_nothing_talks_to_other_machines_unasked() -> None:
    found = {(name, module) for name, node in nodes() for module in imported(node) & NETWORK}
    assert not {(name, module) for name, module in found if name.split("/")[0] not in REACHING}


def test_arrays_and_weights_are_loaded_without_code() -> None:
    wrong = []
    for name, node in nodes():
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called in ("np.load", "numpy.load", "np.lib.format.read_array") and options.get("allow_pickle") == "True":
            wrong.append((name, node.lineno, called))
        if called == "torch.load" and options.get("weights_only") != "True":
            wrong.append((name, node.lineno, called))
        if called in ("eval", "exec", "os.system", "yaml.load", "pd.read_pickle") or options.get("shell") == "True":
            wrong.append((name, node.lineno, called))
    assert not wrong
