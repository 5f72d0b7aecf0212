"""Points without coordinates, as depth cameras write them: rows that are kept, and not measured."""

from __future__ import annotations

import numpy as np
import pytest
from sheet_files import FACES, POINTS, F, V, save

from face3d import analyze
from face3d.errors import ScanError
from face3d.geometry.clean import clean, crop_sphere
from face3d.io import read_scan, write_scan
from face3d.io.info import info
from face3d.io.units import extent
from face3d.scan import FaceScan
from face3d.simulate.demo import demo_scan

NAN = np.full((1, 3), np.nan)
SAID = "1 of 64 points have no coordinates (NaN): kept as rows, not measured"


def with_gaps(scan: FaceScan, share: float = 0.3) -> tuple[FaceScan, np.ndarray]:
    """The scan with rows of NaN scattered among its vertices, and where each of these now stands."""
    count = len(scan.vertices)
    total = count + int(share * count)
    at = np.sort(np.random.default_rng(1).choice(total, count, replace=False))
    vertices, colors = np.full((total, 3), np.nan), None
    vertices[at] = scan.vertices
    if scan.colors is not None:
        colors = np.zeros((total, 3), np.uint8)
        colors[at] = scan.colors
    return scan.replace(vertices=vertices, faces=at[scan.faces], colors=colors), at


@pytest.mark.parametrize(
    "row",
    ["nan nan nan", "NaN NAN -nan", "inf inf -inf", "nan inf nan", "1.#QNAN -1.#IND 1.#QNAN", "-nan(ind) nan nan"],
)
def test_text_of_every_kind(tmp_path, row):
    points = "".join(f"{x} {y} {z}\n" for x, y, z in POINTS.tolist())
    triangles = "".join(f"3 {a} {b} {c}\n" for a, b, c in FACES.tolist())
    head = "ply\nformat ascii 1.0\nelement vertex 64\nproperty float x\nproperty float y\nproperty float z\n"
    for name, text, faces in (
        ("a.obj", f"{V}v {row}\n{F}", 96),
        ("a.off", f"OFF\n64 96 0\n{points}{row}\n{triangles}", 96),
        (
            "a.ply",
            f"{head}element face 96\nproperty list uchar int vertex_index\nend_header\n{points}{row}\n{triangles}",
            96,
        ),
        ("a.xyz", f"{points}{row}\n", 0),
    ):
        scan = read_scan(save(tmp_path, name, text))
        assert (
            np.allclose(scan.vertices[:63], POINTS) and np.isnan(scan.vertices[63]).all() and len(scan.faces) == faces
        )
        assert scan.notes == (SAID,) and scan.present.tolist() == [True] * 63 + [False]


def test_rows_that_a_triangle_uses_or_that_are_there_in_part(tmp_path):
    for text, said in (
        (V + "v nan nan nan\n" + F + "f 1 2 64\n", r"vertex 63 .* a face refers to it"),
        (V + "v 1 nan 2\n" + F, r"line 64: 'v 1 nan 2': a vertex must be finite"),
        (V + "v 1 2 inf\n" + F, "must be finite"),
        ("v nan nan nan\n" * 9, "none of its 9 points has coordinates"),
    ):
        with pytest.raises(ScanError, match=said):
            read_scan(save(tmp_path, "a.obj", text))
    cloud = FaceScan(np.vstack([POINTS, NAN]))
    assert cloud.present.sum() == 63
    for vertices, faces, said in (
        (np.vstack([POINTS, NAN]), [[0, 1, 63]], "triangle 0 refers to vertex 63"),
        (np.vstack([POINTS, [[np.inf] * 3]]), [], "vertex 63 .* all NaN"),
        (np.repeat(NAN, 3, axis=0), [], "none of the 3 vertices"),
    ):
        with pytest.raises(ScanError, match=said):
            FaceScan(vertices, np.reshape(faces, (-1, 3)).astype(int))


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".off", ".npz", ".ply.gz"])
def test_written_and_read_again(tmp_path, suffix):
    scan, _ = with_gaps(FaceScan(POINTS, FACES, colors=np.arange(189, dtype=np.uint8).reshape(63, 3)))
    back = read_scan(write_scan(tmp_path / f"a{suffix}", scan))
    assert np.array_equal(back.vertices, scan.vertices, equal_nan=True) and np.array_equal(back.faces, scan.faces)
    assert back.colors is not None and scan.colors is not None and np.array_equal(back.colors, scan.colors)
    assert back.notes[0].startswith("18 of 81 points")
    triangles = read_scan(write_scan(tmp_path / "a.stl", scan))
    assert np.allclose(triangles.vertices, POINTS[FACES].reshape(-1, 3), atol=1e-5) and not triangles.notes


def test_units_and_landmarks_do_not_see_them(tmp_path):
    scan, _ = with_gaps(FaceScan(POINTS / 1000, FACES))
    path = write_scan(tmp_path / "a.ply", scan)
    back = read_scan(path, landmarks={"prn": POINTS[31] / 1000})
    assert back.units_note.startswith("m: inferred") and np.allclose(back.landmarks["prn"], POINTS[31])
    assert f"{extent(POINTS / 1000):.4g}" in back.units_note


def test_cleaning_and_facts_are_those_of_the_rest():
    plain = FaceScan(POINTS, FACES)
    for scan in (plain, FaceScan(POINTS)):
        gaps, at = with_gaps(scan)
        one, other = clean(scan), clean(gaps)
        assert np.array_equal(one.scan.vertices, other.scan.vertices) and np.array_equal(
            one.scan.faces, other.scan.faces
        )
        assert np.array_equal(other.kept, at[one.kept]) and np.array_equal(other.source[at], one.source)
        assert (np.delete(other.source, at) == -1).all()
        said = "18 of 81 points have no coordinates (NaN): kept as rows, not measured"
        assert other.notes == (said, *one.notes)
        assert np.isnan(np.delete(other.spread(np.ones(len(other.kept))), at)).all()
        read = clean(gaps.replace(notes=("2 faces left out", said)))
        assert read.notes == ("2 faces left out", said, *one.notes)
        facts, same = info(gaps), info(scan)
        assert (facts.missing, facts.extent_mm, facts.spacing_mm, facts.parts) == (
            18,
            same.extent_mm,
            same.spacing_mm,
            same.parts,
        )
        assert said in facts.to_text() and facts.vertices == 81
    near = crop_sphere(with_gaps(plain)[0], (0, 0, 60), 80.0)
    assert near.scan.present.all() and len(near.scan.vertices) > 9


@pytest.fixture(scope="module")
def pair():
    """The demo scan, and with rows of NaN; each analysed."""
    scan = demo_scan()
    colored = scan.replace(colors=np.tile(np.array([200, 150, 120], np.uint8), (len(scan.vertices), 1)))
    gaps, at = with_gaps(colored)
    return analyze(colored), analyze(gaps), at


def test_an_analysis_is_that_of_the_rest(pair):
    one, other, at = pair
    for name in ("surface_distance_mm", "signed_surface_distance_mm", "asymmetry_mm", "asymmetry_vectors_mm"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert len(theirs) == len(other.scan.vertices)
        assert np.isfinite(ours).any() and np.array_equal(ours, theirs[at], equal_nan=True)
        assert np.isnan(np.delete(theirs, at, axis=0)).all()
    assert np.array_equal(one.plane.normal, other.plane.normal)
    for table in ("regions", "action_units"):
        numbers = getattr(one, table).select_dtypes("number"), getattr(other, table).select_dtypes("number")
        assert np.allclose(*numbers, rtol=1e-12, equal_nan=True)  # sums in another order
    gone = len(other.scan.vertices) - len(one.scan.vertices)
    assert other.unmeasured["removed by cleaning"] == gone + one.unmeasured.get("removed by cleaning", 0)
    assert [n for n in other.notes if n not in one.notes] == [
        f"{gone:,} of {gone + len(at):,} points have no coordinates (NaN): kept as rows, not measured"
    ]


@pytest.mark.slow
def test_its_pictures_are_those_of_the_rest(pair):
    from face3d.report.pictures import pictures_of

    one, other = pictures_of(pair[0]), pictures_of(pair[1])
    assert one.plain.png == other.plain.png
    assert [p.png for p in one.surface_distance + one.asymmetry] == [
        p.png for p in other.surface_distance + other.asymmetry
    ]
