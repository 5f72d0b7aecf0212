"""The driver of `make data`, on toy steps; and that what writes data writes the same bytes twice."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import made_from  # noqa: E402
import make_data  # noqa: E402
from data_steps import PART, STEPS, Step, table  # noqa: E402

COUNT = '''"""Writes numbers, one file each, keeps what is there; waits after each while there is a file named hold."""
import sys, time
from pathlib import Path
out, count, part = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
out.mkdir(parents=True, exist_ok=True)
first, every = map(int, part.split("/"))
for k in range(first, count, every):
    file = out / f"{k}.npz"
    if file.exists():
        continue
    half = file.with_suffix(".half")
    half.write_text(str(k * k))
    half.replace(file)
    with (out.parent / "written.txt").open("a") as log:
        log.write(f"{k}\\n")
    while (out.parent / "hold").exists():
        time.sleep(0.02)
'''
ADD = '''"""Adds them up."""
import json, sys
from pathlib import Path
from factor import FACTOR
folder, data = Path(sys.argv[1]), Path(sys.argv[2])
total = FACTOR * sum(int(f.read_text()) for f in sorted(folder.glob("*.npz")))
(data / "sum.json").write_text(json.dumps({"sum": total + int((data / "seed.txt").read_text())}, indent=1) + "\\n")
'''
DOUBLE = """import json, sys
from pathlib import Path
data = Path(sys.argv[1])
double = 2 * json.loads((data / "sum.json").read_text())["sum"]
(data / "double.json").write_text(json.dumps({"double": double}) + "\\n")
"""
TOYS = (
    Step(
        "count",
        commands=(("count.py", "{work}/numbers", "12", PART),),
        reads=(),
        writes=("work/numbers",),
        hours=0.1,
        rooms=("room",),
        resumes=True,
        grows=("work/numbers",),
        of=12,
    ),
    Step(
        "add",
        commands=(("add.py", "{work}/numbers", "{data}"),),
        reads=("work/numbers", "seed.txt", "shared/far.txt"),
        writes=("sum.json",),
        hours=0.1,
    ),
    Step("double", commands=(("double.py", "{data}"),), reads=("sum.json",), writes=("double.json",), hours=0.1),
)
SUM = 3 * sum(k * k for k in range(12)) + 5


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout of toys."""
    root = tmp_path / "checkout"
    for folder in ("tools", "src/face3d/data", "src/face3d/room"):
        (root / folder).mkdir(parents=True)
    for name, text in (("count", COUNT), ("add", ADD), ("double", DOUBLE), ("factor", "FACTOR = 3\n")):
        (root / f"tools/{name}.py").write_text(text)
    (root / "src/face3d/room/walls.py").write_text("WHITE = True\n")
    (root / "src/face3d/data/seed.txt").write_text("5")
    return root


def run(root: Path, *arguments: str, steps: tuple[Step, ...] = TOYS) -> int:
    return make_data.main([*arguments, "--workers", "2"], steps, root)


def value(root: Path, name: str = "sum") -> int:
    return json.loads((root / f"src/face3d/data/{name}.json").read_text())[name]


def made(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Names of the steps that a run made."""
    capsys.readouterr()
    assert run(root, *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.split("] ")[1].split(":")[0] for line in lines if ": made in" in line]


def test_all_is_made_in_order_and_then_skipped(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert made(root, capsys) == ["count", "add", "double"]
    assert (value(root), value(root, "double")) == (SUM, 2 * SUM)
    assert made(root, capsys) == []
    assert run(root, "--check") == 0


def test_what_changed_is_made_again_and_what_follows_from_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(root, capsys)
    (root / "src/face3d/data/seed.txt").write_text("6")
    assert run(root, "--check") == 1
    assert "stale: sum.json: older than seed.txt" in capsys.readouterr().out
    assert made(root, capsys) == ["add", "double"]
    assert value(root, "double") == 2 * (SUM + 1)
    (root / "tools/factor.py").write_text("FACTOR = 4\n")  # a helper that a tool imports
    assert run(root, "--check") == 1
    assert "sum.json: older than tools/factor.py" in capsys.readouterr().out
    assert made(root, capsys) == ["add", "double"]


def test_work_of_before_a_change_is_not_gone_on_with(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(root, capsys)
    (root / "data-work/numbers/3.npz").write_text("1000")  # as an earlier tool would have written it
    (root / "src/face3d/room/walls.py").write_text("WHITE = False\n")
    assert run(root, "--check") == 0  # code of face3d alone is a warning
    assert "sum.json: made by earlier code of src/face3d/room" in capsys.readouterr().out
    # The sum is what it was, but by another record.
    assert made(root, capsys) == ["count", "add", "double"]
    assert value(root) == SUM


def test_comments_and_docstrings_make_nothing_stale(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(root, capsys)
    (root / "src/face3d/room/walls.py").write_text('"""Walls."""\n\nWHITE = True  # as snow\n')
    assert made(root, capsys) == []


def held(root: Path) -> Path:
    """A file while which is there no number is followed by another."""
    hold = root / "data-work/hold"
    hold.parent.mkdir()
    hold.touch()
    return hold


def written(root: Path) -> list[int]:
    file = root / "data-work/written.txt"
    return sorted(map(int, file.read_text().split())) if file.exists() else []


def test_a_killed_run_goes_on(root: Path) -> None:
    hold = held(root)
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT / 'tools'), str(ROOT / 'tests')]!r}\n"
        "import make_data, test_make_data as t; from pathlib import Path\n"
        f"sys.exit(make_data.main(['--workers', '2'], t.TOYS, Path({str(root)!r})))"
    )
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while len(written(root)) < 2:
        assert running.poll() is None and time.monotonic() < until, "the run never began"
        time.sleep(0.02)
    running.kill()  # kill -9
    running.wait()
    time.sleep(2.0)
    hold.unlink()
    time.sleep(2.0)
    assert written(root) == [0, 1], "its tools work on, although it is dead"
    assert not (root / "src/face3d/data/sum.json").exists()
    assert run(root) == 0
    assert value(root) == SUM
    assert written(root) == list(range(12))  # none twice


def test_time_that_is_up_stops_and_the_next_call_goes_on(root: Path) -> None:
    hold = held(root)
    assert run(root, "--hours", str(2 / 3600)) == make_data.MORE
    assert not (root / "src/face3d/data/sum.json").exists()
    hold.unlink()
    assert run(root, "--hours", "1") == 0
    assert value(root, "double") == 2 * SUM
    assert written(root) == list(range(12))


def test_what_cannot_be_stopped_does_not_begin_late(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--hours", "0.09") == make_data.MORE
    assert "time is up before add" in capsys.readouterr().err
    assert run(root, "--hours", "0.05") == make_data.MORE  # what comes first may take longer than there is
    assert "time is up before double" in capsys.readouterr().err
    assert value(root) == SUM


def test_a_step_that_fails_says_so_and_is_not_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "src/face3d/data/seed.txt").write_text("five")
    assert run(root) == 1
    said = capsys.readouterr().err
    assert "ValueError" in said and "add: add.py failed" in said
    (root / "src/face3d/data/seed.txt").write_text("5")
    assert made(root, capsys) == ["add", "double"]


def test_only_and_from(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--only", "add") == 1
    assert "add needs what count makes" in capsys.readouterr().err
    assert made(root, capsys, "--only", "count") == ["count"]
    assert made(root, capsys, "--from", "add") == ["add", "double"]


def test_work_taken_as_it_is_keeps_what_it_was_made_from(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(root, capsys)
    count = (root / "tools/count.py").read_text()
    (root / "tools/count.py").write_text(count + "print('another tool')\n")
    (root / "src/face3d/data/seed.txt").write_text("7")
    assert made(root, capsys, "--from", "add") == ["add", "double"]
    assert run(root, "--check") == 1  # its numbers are still those of the tool before
    assert "sum.json: older than tools/count.py" in capsys.readouterr().out


def test_a_file_made_by_hand_is_unknown_and_made_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(root, capsys)
    (root / "src/face3d/data/sum.json").write_text('{"sum": 1}\n')
    assert run(root, "--check") == 1  # the double is older than it
    said = capsys.readouterr().out
    assert "warning: sum.json: unknown" in said and "stale: double.json: older than sum.json" in said
    assert made(root, capsys) == ["add"]  # the sum is what it was, and so the double


def test_what_lies_outside_cannot_be_told_where_it_is_not(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far = root.parent / "shared/far.txt"
    far.parent.mkdir()
    far.write_text("far")
    made(root, capsys)
    far.write_text("farther")
    assert run(root, "--check") == 1
    far.unlink()
    assert run(root, "--check") == 0


def test_two_runs_do_not_share_a_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with make_data._alone(root / "data-work"):
        assert run(root) == 1
    assert "another run is at work" in capsys.readouterr().err


def test_a_plan_says_what_and_why_and_does_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--dry-run") == 0
    plan = capsys.readouterr().out
    assert "never made here" in plan and "work/numbers, seed.txt, shared/far.txt -> sum.json" in plan
    assert not (root / "data-work").exists()
    made(root, capsys)
    (root / "src/face3d/data/seed.txt").write_text("6")
    run(root, "--dry-run")
    plan = capsys.readouterr().out
    assert "changed: seed.txt" in plan and "after sum.json, if that changes" in plan


# The real steps


def test_every_step_names_what_is_there() -> None:
    data = {f.name for f in (ROOT / "src/face3d/data").iterdir()}
    work: set[str] = set()
    for step in STEPS:
        for command in step.commands:
            assert (ROOT / "tools" / command[0]).is_file()
        for room in step.rooms:
            assert (ROOT / "src/face3d" / room).exists(), room
        for name in step.reads:
            assert name in (work if name.startswith("work/") else data) or name.startswith("shared/"), name
        assert set(step.embeds) <= data
        for name in step.embeds:
            assert made_from.provenance(ROOT / "src/face3d/data" / name).is_file()
        work |= {name for name in step.writes if name.startswith("work/")}


def test_no_step_reads_what_a_later_one_writes() -> None:
    for i, step in enumerate(STEPS):
        later = {name for after in STEPS[i:] for name in after.writes}
        assert not later & set(step.reads), step.name


def test_everything_made_by_a_tool_has_a_step() -> None:
    """What is collected by hand, comes from others, or is frozen is not made."""
    others = {"end_points.json", "norms.json", "scale_rules.json"}
    others |= {"head.npz", "head.json", "head_CC0.txt"}  # frozen with the people of the benchmarks
    others |= {f.name for f in (ROOT / "src/face3d/data").glob("face*")}
    made = {name for step in STEPS for name in step.embeds}
    made |= {Path(name).with_suffix(".json").name for name in made}
    assert {f.name for f in (ROOT / "src/face3d/data").iterdir() if f.is_file()} == made | others


def test_contributing_shows_the_steps() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert table() in text, "put there what `python tools/data_steps.py` prints"


def test_no_embedded_file_is_older_than_what_it_was_made_from() -> None:
    stale, _ = make_data.Maker(STEPS, ROOT, ROOT / "data-work").stale()
    assert not stale, "run `make data`, or a step of it: python tools/make_data.py --only STEP"


# Bytes


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_stored_without_the_time(save, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip file can hold times; those of numpy hold none, and the build relies on it."""
    arrays = {"b": np.arange(5), "a": np.array(["x", "y"]), "facts": np.array(json.dumps({"k": 1}))}
    stored = []
    for now in (1.0e9, 1.7e9):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        monkeypatch.setattr(time, "localtime", lambda s=now: time.gmtime(s))
        buffer = io.BytesIO()
        save(buffer, **arrays)
        stored.append(buffer.getvalue())
    assert stored[0] == stored[1]


def test_examples_are_stored_with_the_same_bytes(tmp_path: Path) -> None:
    from face3d.learn.example_files import write_example
    from simple_exams import simple_exam

    for name in ("a.npz", "b.npz"):
        write_example(tmp_path / name, simple_exam(1))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_network_that_goes_on_becomes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that was stopped after a step of three ends with the bits of training that was not."""
    torch = pytest.importorskip("torch")
    import train_half_face as tool
    from face3d.landmarking.half_face import MARKS, SIZE

    rng = np.random.default_rng(0)
    wide, high = (n + 2 * tool.MARGIN for n in SIZE)
    y, x = np.mgrid[:high, :wide]
    hills = np.sin(x / rng.uniform(5, 20, (4, 1, 1))) * np.cos(y / rng.uniform(5, 20, (4, 1, 1)))
    depth = np.round(3 * hills / tool.STEP).astype(np.int16)
    flat = rng.uniform(tool.MARGIN + 8, min(SIZE) + tool.MARGIN - 8, (4, len(MARKS), 2))
    marks = np.concatenate([flat, np.zeros((4, len(MARKS), 1))], axis=2).astype(np.float32)
    monkeypatch.setattr(tool, "BATCH", 2)
    monkeypatch.setattr(tool, "EVERY", 1)
    store = torch.save

    def kept(state: dict, file: Path) -> None:
        store(state, file)
        store(state, tmp_path / f"after {state['steps']}.pt")

    monkeypatch.setattr(torch, "save", kept)
    threads = torch.get_num_threads()
    whole = tool.trained(depth, marks, 3, 0, checkpoint=tmp_path / "whole.pt").folded()
    again = tool.trained(depth, marks, 3, 0, checkpoint=tmp_path / "after 1.pt").folded()
    other = tool.trained(depth, marks, 3, 1).folded()
    torch.set_num_threads(threads)
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    assert not all(np.array_equal(whole[name], other[name]) for name in whole)


@pytest.mark.parametrize("indent", [None, 0, 1])
def test_a_record_keeps_the_style_of_its_file(tmp_path: Path, indent: int | None) -> None:
    note = {"what": "a toy", "values": [0.1, 2]}
    file = tmp_path / "toy.json"
    file.write_text(json.dumps(note, indent=indent) + "\n")
    made_from.stamp(file, {"b": "1", "a": "2"})
    first = file.read_bytes()
    assert first.decode() == json.dumps(note | {"made_from": {"a": "2", "b": "1"}}, indent=indent) + "\n"
    assert made_from.read(file) == {"a": "2", "b": "1"}
    made_from.stamp(file, {"a": "2", "b": "1"})
    assert file.read_bytes() == first


def test_code_is_told_apart_from_what_is_said_about_it() -> None:
    bare = "def f(x):\n    return '# no comment' + x\n"
    said = '"""A file."""\n\n# above\ndef f(x):  # beside\n    """What it does\n    in two lines."""\n\n'
    said += "    return '# no comment' + x\n"
    assert made_from.code(said) == made_from.code(bare)
    assert made_from.code(bare) != made_from.code(bare.replace("no", "a"))
