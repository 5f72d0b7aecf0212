"""What the demo does beside its first examination: a process that fails or dies is heard of."""

import os
from pathlib import Path

import pytest

from face3d.cli.demonstration import _beside
from face3d.errors import OutputError


def _works(out: Path) -> str:
    return out.name


def _refuses(out: Path) -> None:
    raise OutputError(f"{out}: no room")


def _dies(out: Path) -> None:
    os._exit(7)


def test_an_answer_comes_back() -> None:
    with _beside(_works, Path("here")) as answer:
        assert answer() == "here"


def test_an_error_comes_back_as_it_is() -> None:
    with _beside(_refuses, Path("here")) as answer, pytest.raises(OutputError, match="here: no room"):
        answer()


def test_a_process_that_dies_is_no_silence() -> None:
    with _beside(_dies, Path("here")) as answer, pytest.raises(RuntimeError, match="without an answer"):
        answer()
