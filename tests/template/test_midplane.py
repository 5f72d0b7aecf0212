"""The symmetry plane that everything is measured about: what each kind of evidence says, and which counts how much."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import RigidTransform, Rotation

from face3d.geometry.mesh import vertex_normals
from face3d.geometry.rigid import laid_on
from face3d.geometry.superimpose import Superimposition, SymmetryPlane
from face3d.scan import Floats
from face3d.template.fit import TemplateFit
from face3d.template.midplane import corresponding_plane, midplane
from face3d.template.template import FaceTemplate

TRUE = SymmetryPlane(np.array([1.0, 0.0, 0.0]), np.zeros(3))
POSE = RigidTransform.from_components([30.0, -10.0, 400.0], Rotation.from_euler("yxz", [10, -5, 8], degrees=True))
CHIN = np.array([0.0, -100.0, 17.0])


@pytest.fixture(scope="module")
def template() -> FaceTemplate:
    return FaceTemplate.load("a")


def fitted(t: FaceTemplate, vertices: Floats, valid: np.ndarray | None = None) -> TemplateFit:
    n, u = len(t.vertices), np.zeros(len(t.units))
    valid = np.ones(n, bool) if valid is None else valid
    return TemplateFit(
        t, vertices, POSE.inv(), valid, np.zeros(n), u, u, u, u, np.zeros(len(t.identity)), False, np.zeros(n)
    )


def smile(t: FaceTemplate, left: float, right: float) -> Floats:
    k = t.units.index("mouthSmile")
    return t.vertices + left * t.left[k] + right * t.right[k]


def laid(plane: SymmetryPlane = TRUE, scale: float = 0.15, overlap: float = 1.0) -> Superimposition:
    """What the surface says, in scan coordinates; the fits above are in the head frame, POSE away."""
    there = plane.moved(POSE)
    return Superimposition(there, POSE, np.zeros((1, 3)), np.ones(1), 0.2, scale, overlap, 0.5, 0.01)


def off(plane: SymmetryPlane) -> tuple[float, float]:
    return plane.angle_to(TRUE), abs(float(plane.height(CHIN)))


def test_a_symmetric_face_has_its_own_plane(template: FaceTemplate) -> None:
    degrees, mm = off(corresponding_plane(fitted(template, smile(template, 0.7, 0.7))))
    assert degrees < 1e-4 and mm < 1e-4


def test_a_displaced_side_does_not_pull_the_plane(template: FaceTemplate) -> None:
    vertices = smile(template, 1.0, 0.0)  # the mouth corner lies some 15 mm off
    degrees, mm = off(corresponding_plane(fitted(template, vertices)))
    assert degrees < 0.15 and mm < 0.2


def test_skin_that_the_fit_slid_along_does_not_pull_the_plane(template: FaceTemplate) -> None:
    """Forehead and temples slid sideways by up to 3 mm, within the surface: nothing a scan would show."""
    t = template
    normals = vertex_normals(t.vertices, t.faces)
    sideways = np.array([1.0, 0.0, 0.0]) - normals[:, :1] * normals
    weight = sum(t.regions[f"{name}_{side}"] for name in ("forehead", "temple") for side in ("left", "right"))
    slid = t.vertices + 3.0 * np.minimum(weight, 1.0)[:, None] * sideways
    degrees, mm = off(corresponding_plane(fitted(t, slid)))
    assert degrees < 0.2 and mm < 0.2
    plain = laid_on(t.reflected(slid), slid, t.area)  # with every millimetre counted alike it goes along
    assert np.degrees(plain.rotation.magnitude()) > 1.0


def test_it_moves_with_the_head_and_mirrors_with_the_face(template: FaceTemplate) -> None:
    rng = np.random.default_rng(3)
    own = np.tensordot(rng.normal(size=len(template.asymmetry)), template.asymmetry, axes=1)
    vertices = smile(template, 0.8, 0.3) + own
    here = corresponding_plane(fitted(template, vertices))
    turn = RigidTransform.from_components([1.5, -2.0, 0.7], Rotation.from_rotvec([0.02, -0.03, 0.01]))
    there = corresponding_plane(fitted(template, turn.apply(vertices)))
    assert there.angle_to(here.moved(turn)) < 0.02
    assert abs(there.height(turn.apply(CHIN)) - here.height(CHIN)) < 0.03
    mirrored = corresponding_plane(fitted(template, template.reflected(vertices)))
    flip = np.array([-1.0, 1.0, 1.0])
    assert mirrored.angle_to(SymmetryPlane(-here.normal * flip, here.point * flip)) < 1e-4
    assert mirrored.height(CHIN) == pytest.approx(-here.height(CHIN), abs=1e-4)


def test_a_sharp_surface_is_believed(template: FaceTemplate) -> None:
    found = midplane(laid(), fitted(template, smile(template, 1.0, 0.0)))
    assert found.share == 0.0 and "sharply" in found.why and max(found.surface_off) < 1e-9
    assert found.plane.angle_to(TRUE.moved(POSE)) < 1e-9
    assert found.corresponding is not None and 0.0 < found.corresponding_off[0] < 0.15
    assert found.doubt == ""


#: 0.8 degrees, 1.4 mm at the chin.
TILTED = SymmetryPlane(np.array([np.cos(0.014), np.sin(0.014), 0.0]), np.zeros(3))


def test_a_dull_surface_counts_half(template: FaceTemplate) -> None:
    found = midplane(laid(TILTED, 0.6, 0.95), fitted(template, template.vertices))
    assert found.share == 0.5 and "to 0.20 mm only" in found.why
    for degrees, _ in (found.surface_off, found.corresponding_off):
        assert degrees == pytest.approx(0.4, abs=0.01)
    assert found.plane.moved(POSE.inv()).angle_to(TRUE) == pytest.approx(0.4, abs=0.01)
    assert found.surface_off[1] == pytest.approx(found.corresponding_off[1], rel=0.01)
    assert found.doubt == ""


def test_on_a_one_sided_scan_both_halves_of_the_fitted_face_decide(template: FaceTemplate) -> None:
    shown = template.vertices[:, 0] > -20
    found = midplane(laid(TILTED, 0.2, 0.4), fitted(template, template.vertices, shown))
    assert found.share == 1.0 and "only 40%" in found.why
    assert found.plane.moved(POSE.inv()).angle_to(TRUE) < 1e-6
    assert "the surface alone puts it 0.8 degrees" in found.doubt


@pytest.mark.parametrize("scale", [0.15, 0.6])
def test_evidence_that_does_not_agree_is_said_loudly(template: FaceTemplate, scale: float) -> None:
    tilted = SymmetryPlane(np.array([np.cos(0.06), 0.0, np.sin(0.06)]), np.array([2.0, 0.0, 0.0]))  # 3.4 degrees
    found = midplane(laid(tilted, scale), fitted(template, template.vertices))
    assert "SYMMETRY PLANE IS IN DOUBT" in found.doubt and found.why in found.doubt
    for degrees, mm in (found.surface_off, found.corresponding_off):
        assert f"{degrees:.1f} degrees and {mm:.1f} mm" in found.doubt
    assert found.surface_off[0] + found.corresponding_off[0] == pytest.approx(np.degrees(0.06), abs=0.01)


def test_a_shift_alone_is_said_too(template: FaceTemplate) -> None:
    aside = laid(SymmetryPlane(np.array([1.0, 0.0, 0.0]), np.array([1.2, 0.0, 0.0])))
    found = midplane(aside, fitted(template, template.vertices))
    assert found.corresponding_off == pytest.approx((0.0, 1.2), abs=1e-3)
    assert "0.0 degrees and 1.2 mm" in found.doubt


def test_without_a_fit_or_with_one_side_of_it_the_surface_alone_decides(template: FaceTemplate) -> None:
    half = fitted(template, template.vertices, template.vertices[:, 0] > 0)
    for fit in (None, half):
        found = midplane(laid(scale=0.6), fit)
        assert found.plane is found.surface and found.corresponding is None and found.share == 0.0
        assert np.isnan(found.corresponding_off).all() and found.doubt == ""
