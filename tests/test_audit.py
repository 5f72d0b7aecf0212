"""The audit of dependencies never takes an index that says nothing for one that found nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import audit


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=text, returncode=0))
    monkeypatch.setattr(audit, "installed", lambda: {"a": "1", "b": "2"})
    monkeypatch.setattr(sys, "argv", ["audit.py"])


def exit_code() -> int:
    with pytest.raises(SystemExit) as ended:
        audit.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("skipped", [True, False])
def test_an_index_without_advisories_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], skipped: bool
) -> None:
    said = {"dependencies": [{"name": n, "skip_reason": "not found"} for n in "ab"]}
    answering(monkeypatch, json.dumps(said) if skipped else "cannot connect")
    assert exit_code() == 0
    printed = capsys.readouterr().out
    assert "NOT audited" in printed and "a not there -> 1" in printed and "(of 20" in printed


def test_a_known_weakness_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    weak = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
    answering(monkeypatch, json.dumps({"dependencies": [weak, {"name": "b", "version": "2", "vulns": []}]}))
    assert exit_code() == 1
    assert "a 1: PYSEC-1; mended in 1.1" in capsys.readouterr().out
