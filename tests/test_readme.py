"""The README is a test: what it says to run, runs."""

import contextlib
import io
import json
import re
import shlex
import tomllib
from pathlib import Path

import jsonschema
import pytest

from face3d import cli
from face3d.exam import EXPRESSIONS
from face3d.io.exam import read_exam
from face3d.report.scan_result import json_schema

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
INSTALL, EXAMS = ((ROOT / "docs" / name).read_text("utf-8") for name in ("install.md", "exams.md"))


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(program: str, text: str = README) -> list[list[str]]:
    lines = (line for block in blocks("console", text) for line in block.splitlines())
    return [shlex.split(line, comments=True) for line in lines if line.startswith(program + " ")]


def test_it_starts_with_the_two_commands() -> None:
    first = blocks("console")[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]
    assert README.index(first[0]) < 40


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    assert {command[1] for command in commands("make")} <= targets


def test_every_extra_is_there() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    assert set(re.findall(r"^\| `(\w+)` \|", INSTALL, flags=re.MULTILINE)) == extras - {"all", "bench", "test"}
    for command in commands("pip", INSTALL):
        assert command[:2] == ["pip", "install"] and set(re.findall(r"\[(\w+)\]", command[2])) <= extras


def test_the_smallest_exam_can_be_read_and_all_expressions_are_named(tmp_path: Path) -> None:
    (manifest,) = blocks("json", EXAMS)
    (tmp_path / "exam.json").write_text(manifest)
    for name in json.loads(manifest)["scans"].values():
        (tmp_path / name).write_text("ply")
    exam = read_exam(tmp_path)
    assert (exam.subject, exam.expressions) == ("p017", ("rest", "open_smile"))
    named = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", EXAMS, flags=re.MULTILINE))
    assert {name: named.get(name) for name in EXPRESSIONS} == dict(EXPRESSIONS)


def test_it_is_two_screens() -> None:
    assert len(README.splitlines()) <= 110


def test_every_linked_file_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in commands("face3d"):  # in the order in which it is read
        assert cli.run(command[1:]) == 0
    for code in blocks("python"):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(code, "README.md", "exec"), {})
        assert "commissure" in out.getvalue()
    assert (tmp_path / "exam" / "report.html").stat().st_size > 100_000
    assert (tmp_path / "smile" / "report.html").stat().st_size > 100_000
    result = json.loads((tmp_path / "smile" / "result.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(json_schema()).validate(result)
    assert result["asymmetry"]["measured"] > 0.4 * result["scan"]["vertices"]
    smile = next(unit for unit in result["action_units"] if unit["unit"] == "mouthSmile")
    truth = json.loads((tmp_path / "people" / "p0000" / "truth.json").read_text("utf-8"))
    healthy = {"left": "right", "right": "left"}[truth["side"]]
    assert truth["function_mouth"] < 0.3 and smile[healthy] > 2 * smile[truth["side"]]
    assert cli.run(["demo", "--out", "demo-report"]) == 0  # as `make demo` does
    demo = json.loads((tmp_path / "demo-report" / "result.json").read_text("utf-8"))
    assert demo["affected_side"] == "left" and demo["estimates"]["house_brackmann"] == 4  # the patient's truth
    assert len(demo["expressions"]) == 9
    index = (tmp_path / "demo-report" / "index.html").read_text("utf-8")
    pages = set(re.findall(r'href="([^"]+)"', index))
    assert pages == {"report.html", "after/report.html", "change/report.html", "movement/report.html"}
    assert all((tmp_path / "demo-report" / page).stat().st_size > 20_000 for page in pages)
    change = json.loads((tmp_path / "demo-report" / "change" / "result.json").read_text("utf-8"))
    lost = next(s for s in change["scales"] if s["scale"] == "movement lost")
    assert lost["after"] < 0.7 * lost["before"]  # planted: half of what was lost has come back
    smile = json.loads((tmp_path / "demo-report" / "movement" / "summary.json").read_text("utf-8"))
    assert [m["expression"] for m in smile["movements"]] == ["open_smile"]


def test_its_figures_are_those_of_the_shipped_grader() -> None:
    test = json.loads((ROOT / "src/face3d/data/grader.json").read_text("utf-8"))["tests"]["external"]
    exact, rules = (round(100 * test[by]["exact"]["value"]) for by in ("figures", "rules"))
    said = " ".join(README.split())
    assert f"On {test['subjects']} simulated people of a head in no training" in said
    assert f"was exact in {exact} % and never off by more than one; the rules alone in {rules} %" in said
    assert test["figures"]["within_one"]["value"] == 1.0
