"""Benchmarks: the same seed the same bytes, any subset, resumed or not; truth beside what a method may see."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

import face3d
from face3d.errors import SchemaError
from face3d.exam import EXPRESSIONS
from face3d.io.scan_file import ScanFile
from face3d.simulate import benchmark, exam_writer
from face3d.simulate.benchmark import table_text, truth_table, verify_frozen, write_benchmark
from face3d.simulate.definition import FROZEN, Definition
from face3d.simulate.subjects import Subject
from face3d.simulate.truth import asymmetry_vectors

SMALL = Definition(name="small", seed=11, subjects=1, points=600)


def digest(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    write_benchmark(out, SMALL)
    return out


def test_the_exam_reads_and_its_truth_belongs_to_it(written):
    exam = face3d.read_exam(written / "p0000")
    assert set(exam.scans) == set(EXPRESSIONS)
    truth = json.loads((written / "p0000" / "truth.json").read_text())
    arrays = np.load(written / "p0000" / "truth.npz")
    subject = Subject(SMALL, 0)
    for expression in ("rest", "open_smile"):
        source = exam.scans[expression]
        assert isinstance(source, ScanFile)
        scan = source.read()
        face, weights = arrays[f"{expression}.face"], arrays[f"{expression}.weights"].astype(float)
        assert len(face) == len(scan.vertices)
        model = arrays[f"{expression}.model"].astype(float)
        on_skin = np.einsum("nk,nkd->nd", weights, model[arrays["faces"][face]])
        to_scan = np.array(truth["scans"][expression]["head_to_scan"])
        error = np.linalg.norm(on_skin @ to_scan[:3, :3].T + to_scan[:3, 3] - scan.vertices, axis=1)
        # Scanner noise of 0.2 mm along the normal, more at a slant; half precision adds a few micrometres.
        assert np.sqrt((error**2).mean()) < 0.4
        # Asymmetry in the file is what the model's vertices say, through their opposites.
        vertices = subject.vertices(expression)
        assert np.allclose(model, vertices, atol=1e-4)
        vectors = asymmetry_vectors(subject.model, vertices)
        carried = np.einsum("nk,nkd->nd", weights, vectors[arrays["faces"][face]])
        assert np.allclose(arrays[f"{expression}.asymmetry"], carried, atol=0.02)
        # The plane is the head frame's x = 0, in the scan's coordinates.
        assert np.allclose(truth["scans"][expression]["plane_normal"], to_scan[:3, 0])


def test_nothing_that_a_method_may_see_tells_the_truth(written):
    manifest = json.loads((written / "p0000" / "exam.json").read_text())
    assert not {"affected_side", "grades", "landmarks"} & manifest.keys()
    assert (
        b"comment"
        not in (written / "p0000" / "rest.ply").read_bytes()[:400].replace(b"\n", b" ").split(b"end_header")[0]
    )


def test_same_seed_same_bytes_whatever_the_number_of_subjects(written, tmp_path, monkeypatch):
    wrote = []
    original = exam_writer.write_exam

    def only_first(folder, subject):
        wrote.append(subject.number)
        if subject.number == 1:
            raise KeyboardInterrupt  # somebody stops the run in the second subject
        original(folder, subject)

    monkeypatch.setattr(benchmark, "write_exam", only_first)
    with pytest.raises(KeyboardInterrupt):
        write_benchmark(tmp_path, replace(SMALL, subjects=2))
    assert wrote == [0, 1]
    assert digest(tmp_path / "p0000") == digest(written / "p0000")
    assert not (tmp_path / "p0001").exists()
    # Going on writes what is missing and keeps what is there.
    wrote.clear()
    monkeypatch.setattr(benchmark, "write_exam", lambda folder, subject: wrote.append(subject.number))
    folders = write_benchmark(tmp_path, replace(SMALL, subjects=2))
    assert wrote == [1]
    assert [f.name for f in folders] == ["p0000", "p0001"]
    assert not list(tmp_path.glob(".*.partial"))
    assert (tmp_path / "truth.csv").read_text().count("\n") == 3
    assert "2 subjects" in (tmp_path / "DATA_CARD.md").read_text()


def test_another_benchmark_in_the_folder_is_not_written_over(written):
    with pytest.raises(SchemaError, match="seed"):
        write_benchmark(written, replace(SMALL, seed=12))


def test_other_seeds_other_people():
    one, two = (table_text(list(truth_table(replace(SMALL, seed=s, subjects=3)))) for s in (1, 2))
    assert one != two


def test_splits_are_by_subject_and_do_not_depend_on_the_size():
    d = Definition(subjects=200)
    split = [d.split(n) for n in range(200)]
    assert [split.count(s) for s in ("train", "val", "test")] == [140, 30, 30]
    assert all(replace(d, subjects=5).split(n) == split[n] for n in range(5))


def test_transfer_never_tests_on_the_movements_of_training():
    d = Definition(subjects=100, movement="transfer")
    used = {s: {d.movement_of(n) for n in range(100) if d.split(n) == s} for s in ("train", "val", "test")}
    assert used == {"train": {"a"}, "val": {"a"}, "test": {"b", "waters"}}


def test_every_movement_set_gives_a_subject():
    for movement in ("b", "waters"):
        subject = Subject(Definition(seed=5, movement=movement), 0)
        smile = subject.vertices("open_smile") - subject.vertices("rest")
        assert 2.0 < np.linalg.norm(smile, axis=1).max() < 40.0
        assert subject.row()["movement"] == movement
        # Base and fine level are one person: the coarse vertices are found again on the fine surface.
        base = subject.patient.vertices("open_smile")
        apart = np.linalg.norm(subject.vertices("open_smile")[: len(base)] - base, axis=1)
        # Subdivision rounds sharp rims off; skin elsewhere moves by some tenths of a millimetre.
        assert np.median(apart) < 0.5
        assert np.quantile(apart, 0.95) < 1.2


def test_motion_of_a_subject_starts_and_ends_at_their_rest():
    subject = Subject(Definition(seed=5), 0)
    motion = subject.motion("open_smile")
    rest = subject.truth.intensities["rest"]
    apex = subject.truth.intensities["open_smile"]
    for course, still, high in zip((motion.left, motion.right), rest, apex, strict=True):
        assert np.allclose(course[0], still, atol=1e-9)
        unit = int(np.argmax(np.abs(high - still)))
        assert abs(np.abs(course[:, unit] - still[unit]).max() / abs(high[unit] - still[unit]) - 1) < 0.1


def test_depth_pictures_and_sequences_lie_beside_the_scans(tmp_path, monkeypatch):
    monkeypatch.setattr(exam_writer, "EXPRESSIONS", ("rest", "open_smile"))
    monkeypatch.setattr(exam_writer, "FPS", 10.0)
    write_benchmark(tmp_path / "tracker", Definition(seed=2, subjects=1, scanner="fixed_mesh", sequences=True))
    exam = face3d.read_exam(tmp_path / "tracker" / "p0000")
    frames = np.load(exam.sequences["open_smile"].path)
    truth = np.load(tmp_path / "tracker" / "p0000" / "truth.npz")
    assert frames["vertices"].shape == (len(truth["open_smile.left"]), 1220, 3)
    assert frames["fps"] == 10.0
    # The tracker's tremble is 0.1 mm; a smile moves its mesh by millimetres.
    moved = np.linalg.norm(frames["vertices"] - frames["vertices"][0], axis=2)
    assert moved.max() > 2.0
    write_benchmark(tmp_path / "depth", Definition(seed=2, subjects=1, scanner="depth_camera"))
    pictures = tmp_path / "depth" / "p0000" / "depth"
    assert sorted(p.name for p in pictures.iterdir()) == ["open_smile.json", "open_smile.png", "rest.json", "rest.png"]


@pytest.mark.parametrize("fault", [{"subjects": 0}, {"scanner": "laser"}, {"movement": "c"}, {"points": 10}])
def test_impossible_definitions_are_refused(fault):
    with pytest.raises(SchemaError, match=next(iter(fault))):
        Definition(**fault)


@pytest.mark.parametrize("name", FROZEN)
def test_frozen_definitions_still_draw_the_same_people(name):
    verify_frozen(name, first=10)


@pytest.mark.slow
@pytest.mark.parametrize("name", FROZEN)
def test_frozen_definitions_still_draw_all_the_same_people(name):
    verify_frozen(name)


def test_unknown_frozen_definition_is_named():
    with pytest.raises(SchemaError, match="face3d-bench-v0"):
        Definition.frozen("face3d-bench-v0")


def test_command_line_writes_and_refuses(tmp_path, capsys):
    from face3d.cli import run

    arguments = ["simulate", "--out", str(tmp_path / "b"), "--subjects", "1", "--points", "300", "--json"]
    assert run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["exams"] == ["p0000"]
    assert told["truth_sha256"] == hashlib.sha256((tmp_path / "b" / "truth.csv").read_bytes()).hexdigest()
    assert run([*arguments, "--scanner", "laser"]) == 2
    assert "laser" in capsys.readouterr().err
