"""Cleaning: what was planted goes, what was there stays, and every vertex finds its way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d.errors import ScanError
from face3d.geometry.clean import clean, crop, crop_sphere
from face3d.io import read_scan
from face3d.scan import FaceScan, Texture


def dome(step: float = 4.0, shift: tuple[float, float, float] = (0.0, 0.0, 0.0), size: float = 80.0) -> FaceScan:
    """A domed sheet, as a face is, of edges of about `step` mm, facing +z."""
    n = int(size / step)
    x, y = np.meshgrid(np.arange(-n, n + 1) * step, np.arange(-n, n + 1) * step)
    z = 60.0 - (x**2 + 0.7 * y**2) / 150.0
    at = np.arange(x.size).reshape(x.shape)
    quad = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    faces = np.concatenate([quad[:, :3], quad[:, [0, 2, 3]]])
    return FaceScan(np.column_stack([x.ravel(), y.ravel(), z.ravel()]) + shift, faces)


def together(*parts: FaceScan) -> FaceScan:
    first = np.cumsum([0] + [len(p.vertices) for p in parts])
    return FaceScan(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.faces + n for p, n in zip(parts, first, strict=False)]),
    )


def check_way_back(scan: FaceScan, cleaned) -> None:
    """`spread` carries the cleaned vertices exactly to where the input's are, and NaN to the dropped."""
    assert np.array_equal(scan.vertices[cleaned.kept], cleaned.scan.vertices)
    assert (np.diff(cleaned.kept) > 0).all()
    back = cleaned.spread(cleaned.scan.vertices)
    present = cleaned.source >= 0
    assert np.array_equal(back[present], scan.vertices[present]) and np.isnan(back[~present]).all()
    assert np.array_equal(cleaned.source[cleaned.kept], np.arange(len(cleaned.kept)))


def test_clean_scan_is_left_alone():
    scan = dome()
    cleaned = clean(scan)
    assert cleaned.notes == () and np.array_equal(cleaned.kept, np.arange(len(scan.vertices)))
    assert np.array_equal(cleaned.scan.faces, scan.faces)


def test_planted_faults_go_and_nothing_else():
    sheet = dome()
    n, m = len(sheet.vertices), len(sheet.faces)
    inner = np.flatnonzero((np.abs(sheet.vertices[:, :2]) < 60).all(axis=1))
    spikes = inner[[40, 300, 700]]
    vertices = sheet.vertices.copy()
    vertices[spikes] += [[0, 0, 30.0], [3, -4, -25.0], [0, 20, 40.0]]
    extra = np.array([[500.0, 0, 0], [0, 0, -400.0]])  # points that no triangle uses
    faces = np.concatenate([sheet.faces, sheet.faces[7:9], sheet.faces[9:11, ::-1], [[0, 0, 1], [5, 6, 5], [0, 1, 2]]])
    scan = FaceScan(np.concatenate([vertices, extra]), faces)  # 0, 1, 2 lie in one row of the sheet, but on a curve
    cleaned = clean(scan)
    check_way_back(scan, cleaned)
    dropped = np.setdiff1d(np.arange(n + 2), cleaned.kept)
    assert dropped.tolist() == sorted([*spikes, n, n + 1])
    touched = np.isin(sheet.faces, spikes).any(axis=1)
    assert len(cleaned.scan.faces) == m - touched.sum() + 1
    notes = " ".join(cleaned.notes)
    for words in ("2 triangles without area", "4 triangles were there twice", "3 spikes", "2 points that no triangle"):
        assert words in notes, notes


def test_colinear_triangles_have_no_area():
    scan = FaceScan(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 2, 0]]), [[0, 1, 2], [0, 2, 3]])
    assert clean(scan).scan.faces.tolist() == [[0, 1, 2]] and clean(scan).kept.tolist() == [0, 2, 3]


def test_parts():
    """Crumbs and a distant patch go; an eyeball in its place, and a part large enough to be the face, stay."""
    face = dome()
    eye, far = dome(2.0, (30, 20, 2), 8.0), dome(2.0, (300, 0, 0), 16.0)
    crumb, other = dome(1.0, (0, 0, 3), 2.0), dome(4.0, (400, 0, 0), 60.0)
    scan = together(face, eye, far, crumb, other)
    cleaned = clean(scan)
    check_way_back(scan, cleaned)
    sizes = np.cumsum([len(p.vertices) for p in (face, eye, far, crumb, other)])
    stays = np.concatenate([np.arange(sizes[1]), np.arange(sizes[3], sizes[4])])
    assert np.array_equal(cleaned.kept, stays)
    assert "2 separate parts" in " ".join(cleaned.notes)


def soup_of(sheet: FaceScan, noise: float) -> FaceScan:
    corners = sheet.vertices[sheet.faces].reshape(-1, 3)
    corners = corners + np.random.default_rng(0).normal(0, noise, corners.shape)
    return FaceScan(corners, np.arange(len(corners)).reshape(-1, 3), name="soup")


@pytest.mark.parametrize("noise", [0.0, 1e-6, 4e-4])  # mm; edges are 4 mm long, and 1 mm where the sheet is finer
def test_soup_is_welded_with_the_way_back(noise: float):
    """Triangles of different size with corners of their own, rounded each for itself."""
    sheet = together(dome(), dome(1.0, (0, 0, 20), 60.0))
    soup = soup_of(sheet, noise)
    cleaned = clean(soup)
    assert len(cleaned.scan.vertices) == len(sheet.vertices) and (cleaned.source >= 0).all()
    assert np.array_equal(cleaned.scan.vertices, soup.vertices[cleaned.kept])
    assert np.allclose(cleaned.scan.vertices[cleaned.scan.faces], sheet.vertices[sheet.faces], atol=10 * noise)
    assert np.allclose(cleaned.spread(cleaned.scan.vertices), soup.vertices, atol=10 * noise)
    assert len(cleaned.notes) == 1 and "welded" in cleaned.notes[0]


def test_soup_that_cannot_be_welded_is_refused():
    """Corners a hundredth of the spacing apart: no triangle belongs to another, and none would be left."""
    with pytest.raises(ScanError, match=r"soup: the surface lies in \d+ separate parts.*Merge Close Vertices"):
        clean(soup_of(dome(), 0.1))


def test_parts_are_not_dropped_for_what_is_beside_them():
    """A face of 8 % of a wall's area, half a metre before it."""
    face, wall = dome(2.0, (0, 0, 0), 60.0), dome(8.0, (0, 0, -600), 220.0)
    cleaned = clean(together(face, wall))
    assert len(cleaned.kept) == len(face.vertices) + len(wall.vertices) and cleaned.notes == ()


def test_what_takes_much_is_said_first_and_what_takes_most_is_refused():
    face = dome(4.0, size=40.0)
    scraps = [dome(1.0, (60.0 * k, 300, 0), 10.0) for k in range(40)]  # 4 cm2 each, far away
    some, most = together(face, *scraps[:6]), together(face, *scraps)
    assert clean(some).notes[0].startswith("CAUTION: cleaning took 26% of the surface")
    assert "separate parts" in clean(some).notes[1]
    with pytest.raises(ScanError, match=r"cleaning would take 70% of the surface.*crop it to the head"):
        clean(most)
    spread = np.random.default_rng(0).uniform(-4000, 4000, (300, 3))
    cloud = FaceScan(np.concatenate([dome().vertices, spread]))
    assert clean(cloud).notes[0].startswith("CAUTION: cleaning took 15% of the points")


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_triangles_wound_the_other_way_are_turned_with_their_texture(share: float):
    sheet = dome()
    rng = np.random.default_rng(0)
    uv, wrong = rng.random((len(sheet.faces), 3, 2)), rng.random(len(sheet.faces)) < share
    texture = Texture(np.zeros((2, 2, 3), np.uint8), uv)
    faces, turned_uv = sheet.faces.copy(), uv.copy()
    faces[wrong], turned_uv[wrong] = faces[wrong][:, ::-1], uv[wrong][:, ::-1]
    vertices = sheet.vertices.copy()
    spike = np.flatnonzero((np.abs(vertices[:, :2]) < 40).all(axis=1))[50]
    vertices[spike] += [0, 0, 40.0]  # found as on a sheet that is of one mind
    cleaned = clean(FaceScan(vertices, faces, texture=Texture(texture.image, turned_uv)))
    stays = ~(sheet.faces == spike).any(axis=1)
    assert np.array_equal(cleaned.kept[cleaned.scan.faces], sheet.faces[stays])
    assert cleaned.scan.texture is not None and np.array_equal(cleaned.scan.texture.uv, uv[stays])
    assert cleaned.notes[0] == f"{wrong.sum()} triangles were wound against their neighbours and turned"


def test_a_wall_behind_does_not_turn_a_face_round():
    """It faces the camera, as it should, and so the middle of the scene."""
    wall = dome(20.0, (0, 0, -1000), 900.0)
    flat = wall.replace(vertices=np.column_stack([wall.vertices[:, :2], np.full(len(wall.vertices), -1000.0)]))
    scene = together(dome(), flat)
    assert np.array_equal(clean(scene).scan.faces, scene.faces)


def test_seam_does_not_part_the_face():
    """A texture seam doubles the vertices along a line; the halves are one surface all the same."""
    sheet = dome()
    right = (sheet.vertices[sheet.faces].mean(axis=1)[:, 0]) > 0
    faces = sheet.faces.copy()
    faces[right] += len(sheet.vertices)
    scan = FaceScan(np.concatenate([sheet.vertices, sheet.vertices]), faces)
    assert np.array_equal(clean(scan).scan.faces, sheet.faces)


def test_inward_winding_is_turned_with_its_texture():
    sheet = dome()
    uv = np.random.default_rng(0).random((len(sheet.faces), 3, 2))
    texture = Texture(np.zeros((2, 2, 3), np.uint8), uv)
    inside_out = FaceScan(sheet.vertices, sheet.faces[:, ::-1], texture=Texture(texture.image, uv[:, ::-1]))
    cleaned = clean(inside_out)
    assert np.array_equal(cleaned.scan.faces, sheet.faces) and "inwards" in cleaned.notes[-1]
    assert cleaned.scan.texture is not None and np.array_equal(cleaned.scan.texture.uv, uv)


def test_cloud():
    sheet = dome()
    far = np.array([[0.0, 0, 300], [200, 0, 0]])
    scan = FaceScan(np.concatenate([sheet.vertices, far, sheet.vertices[:5]]), colors=None)
    cleaned = clean(scan)
    check_way_back(scan, cleaned)
    assert np.array_equal(cleaned.kept, np.arange(len(sheet.vertices)))
    assert cleaned.source[-5:].tolist() == [0, 1, 2, 3, 4]


def test_nothing_left():
    with pytest.raises(ScanError, match="no triangle with an area"):
        clean(FaceScan(np.zeros((4, 3)), [[0, 1, 2], [1, 2, 3]]))
    with pytest.raises(ScanError, match="nothing of the scan is left"):
        crop_sphere(dome(), (0, 0, 1000), 10)


def test_crop_and_steps_together():
    scan = together(dome(), dome(1.0, (0, 0, 3), 2.0))
    first = clean(scan)
    second = crop_sphere(first.scan, (0.0, 0.0, 60.0), 30.0)
    whole = first.then(second)
    check_way_back(scan, whole)
    assert np.linalg.norm(whole.scan.vertices - (0, 0, 60), axis=1).max() <= 30
    assert whole.notes == (*first.notes, "cropped")
    with pytest.raises(ValueError, match="mask"):
        crop(scan, [True])
    with pytest.raises(ValueError, match="values"):
        whole.spread([1.0])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_order_of_vertices_and_faces_changes_nothing(seed):
    """The same surface written in another order keeps the same points; twice cleaned is once cleaned."""
    rng = np.random.default_rng(seed)
    base = together(dome(8.0), dome(2.0, (30, 20, 2), 8.0), dome(1.0, (0, 0, 3), 2.0))
    spiked = base.vertices.copy()
    spiked[60 + rng.integers(0, 80)] += [0, 0, 60.0]
    scan = FaceScan(spiked, base.faces)
    cleaned = clean(scan)
    order = rng.permutation(len(spiked))
    number = np.argsort(order)
    faces = number[base.faces][rng.permutation(len(base.faces))]
    other = clean(FaceScan(spiked[order], np.array([np.roll(f, rng.integers(3)) for f in faces])))
    assert np.array_equal(np.sort(order[other.kept]), cleaned.kept)
    check_way_back(scan, cleaned)
    again = clean(cleaned.scan)
    assert np.array_equal(again.kept, np.arange(len(cleaned.kept)))


def test_real_scans_lose_no_skin(shared):
    """Less than 1 % of the vertices of any real scan, and what is dropped is small parts or spikes, never a region."""
    for path in sorted((shared / "scans").glob("*.obj")):
        scan = read_scan(path)
        cleaned = clean(scan)
        check_way_back(scan, cleaned)
        assert len(cleaned.kept) >= 0.99 * len(scan.vertices), (path.name, cleaned.notes)
