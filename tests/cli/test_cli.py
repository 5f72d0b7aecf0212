"""The command line: exit codes, one line on standard error, and nothing heavy before it is needed."""

import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import face3d
from face3d import cli
from face3d.errors import ScanError

HEAVY = ("torch", "open3d", "pyvista", "vtk", "mediapipe", "pandas", "sklearn", "trimesh", "matplotlib")


def loaded_by(code: str) -> set[str]:
    """The heavy packages in sys.modules of a fresh process after `code`."""
    script = f"{code}\nimport sys; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


def test_the_check_for_heavy_packages_sees_one() -> None:
    assert loaded_by("import pandas") == {"pandas"}


@pytest.mark.parametrize("code", ["import face3d; dir(face3d)", "import face3d; face3d.FaceScan", "import face3d.cli"])
def test_importing_stays_light(code: str) -> None:
    assert loaded_by(code) == set()


def test_every_public_name_is_there_and_no_module_hides_it() -> None:
    modules = {module.name for module in pkgutil.iter_modules(face3d.__path__)}
    for name in set(face3d.__all__) - {"errors"}:
        assert getattr(face3d, name) is not None
        assert name not in modules


def test_help_loads_neither_numpy_nor_rich() -> None:
    script = (
        "import sys\nfrom face3d import cli\ncode = cli.run(['--help'])\n"
        "assert code == 0 and not {'numpy', 'rich', 'pydantic'} & set(sys.modules), sorted(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "doctor" in shown.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == face3d.__version__


@pytest.mark.parametrize("command", [command.callback.__name__ for command in cli.app.registered_commands])  # type: ignore
def test_every_command_speaks_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([command, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["doctor", "--no-such-option"]])
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("face3d: ") and err.endswith("See: face3d --help\n") and err.count("\n") == 1


def test_what_the_user_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise ScanError("a.ply: two\nlines")

    monkeypatch.setattr("face3d.cli.machine.examine", refuse)
    assert cli.run(["doctor"]) == 2
    assert capsys.readouterr().err == "face3d: a.ply: two lines\n"


def test_a_missing_extra_names_its_install_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def need() -> None:
        raise ModuleNotFoundError("No module named 'open3d'", name="open3d")

    monkeypatch.setattr("face3d.cli.machine.examine", need)
    assert cli.run(["doctor"]) == 2
    assert "[measure]" in capsys.readouterr().err


def test_a_missing_system_library_points_to_the_doctor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def need() -> None:
        raise OSError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("face3d.cli.machine.examine", need)
    assert cli.run(["doctor"]) == 2
    _, err = capsys.readouterr()
    assert "libEGL.so.1" in err and "face3d doctor" in err and err.count("\n") == 1


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("face3d.cli.machine.examine", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.run(["doctor"])


def test_without_a_face_a_picture_lies_only_where_results_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows a patient: nothing in the temporary folder, nothing beside the scan."""
    from face3d.landmarking import detect

    monkeypatch.setattr(detect, "find_face", lambda *_, **__: (None, 1.0))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    rows, columns = 20, 20
    corners = [f"v {8 * x} {8 * y} {(x * y) % 3}" for y in range(rows) for x in range(columns)]
    faces = [f"f {k + 1} {k + 2} {k + 2 + columns}" for k in range(columns * (rows - 1) - 1) if (k + 1) % columns]
    scan = tmp_path / "scans" / "scan.obj"
    scan.parent.mkdir()
    scan.write_text("\n".join([*corners, *faces]))
    assert cli.run(["analyze", str(scan)]) == 2
    said = capsys.readouterr().err
    assert "no face found" in said and "--out DIR" in said and len(said.strip().splitlines()) == 1
    assert [p.name for p in scan.parent.iterdir()] == ["scan.obj"]
    assert cli.run(["analyze", str(scan), "--out", str(tmp_path / "results")]) == 2
    assert str(tmp_path / "results" / "views.png") in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "results").iterdir()] == ["views.png"]
    assert not any(temporary.iterdir())
