"""The tutorial is a test: all of it is run in the order in which it is read, in one folder."""

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from face3d import cli

TEXT = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text("utf-8")
_BLOCK = re.compile(r"^```(console|python|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_everything_in_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, block in _BLOCK.findall(TEXT):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            if kind == "python":
                exec(compile(block, "tutorial.md", "exec"), {})
            elif kind == "json":
                json.loads(block)
                Path("run.json").write_text(block)
            else:
                for line in block.splitlines():
                    if (words := shlex.split(line, comments=True))[1:] != ["doctor"]:  # tests/cli/test_machine.py
                        assert words[0] == "face3d" and cli.run(words[1:]) == 0, line
        assert said.getvalue() or kind == "json" or "doctor" in block or "write_scan" in block
    for page in ("me", "before", "after", "change", "shipped-on-mine", "trained-on-mine", "smile"):
        assert Path(page, "report.html").stat().st_size > 20_000
    assert len(Path("compared", "change.csv").read_text().splitlines()) > 100
    assert Path("results", "failures.csv").read_text().count("\n") == 1
    assert Path("kit", "forms", "anna.csv").exists()
