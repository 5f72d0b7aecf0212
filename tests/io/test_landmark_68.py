"""The 68 points of iBUG, in every format that they come in."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face3d.errors import LandmarkError
from face3d.io import read_landmarks, read_scan


def ibug_face():
    """68 points in iBUG's order on a drawn face: x to the subject's left, y up, z to the front."""
    turn = np.pi * np.arange(17) / 16
    jaw = np.column_stack([-70 * np.cos(turn), -100 * np.sin(turn), -20 + 30 * np.sin(turn)])
    brow = np.array([[20.0 + 10 * i, 25 + 3 * (i % 4 > 0), 15 - 2 * i] for i in range(5)])
    eye = np.array([[18.0, 0, 8], [28, 5, 12], [38, 5, 10], [45, 0, 2], [38, -5, 10], [28, -5, 12]])
    nose = [[0.0, -10 * i, 20 + 6 * i] for i in range(4)] + [[-12.0 + 6 * i, -38, 22] for i in range(5)]
    up = [(-25, -70), (-15, -64), (-6, -62), (0, -63), (6, -62), (15, -64), (25, -70)]
    lips = [
        *up,
        (15, -78),
        (6, -81),
        (0, -82),
        (-6, -81),
        (-15, -78),
        (-20, -70),
        (-6, -68),
        (0, -68),
        (6, -68),
        (20, -70),
        (6, -72),
        (0, -72),
        (-6, -72),
    ]
    mirror = np.array([-1.0, 1, 1])
    right_eye = eye[[3, 2, 1, 0, 5, 4]] * mirror
    mouth = [[x, y, 22.0 - abs(x) / 4] for x, y in lips]
    return np.concatenate([jaw, brow[::-1] * mirror, brow, nose, right_eye, eye, mouth])


def pts68(points):
    return f"version: 1\nn_points:  {len(points)}\n{{\n" + "\n".join(" ".join(map(str, p)) for p in points) + "\n}\n"


def rows68(points, separator, head=""):
    return head + "\n".join(separator.join(map(str, p)) for p in points) + "\n"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.pts", pts68),
        ("a.txt", pts68),
        ("a.pts", lambda p: pts68(p).replace("{\n", "{").replace("\n}", "}")),
        ("a.pts", lambda p: rows68(p, " ", "68\n")),
        ("a.txt", lambda p: rows68(p, " ")),
        ("a.txt", lambda p: rows68(p, ", ")),
        ("a.csv", lambda p: rows68(p, ";", "x;y;z\n").replace(".", ",")),
        ("a.csv", lambda p: rows68(p, ",")),
        ("a.csv", lambda p: rows68([[i, *q] for i, q in enumerate(p.tolist())], ",")),
        ("a.tps", lambda p: rows68(p, " ", "LM3=68\n")),
        ("a.npy", None),
        ("a.ljson", lambda p: json.dumps({"landmarks": {"points": p.tolist()}, "version": 1})),
    ],
)
def test_68_points(tmp_path, name, write):
    """In whatever file and however the head is turned, 68 points without names become the landmarks they lie on."""
    face, path = ibug_face(), tmp_path / name

    def read(points):
        path.write_text(write(points)) if write else np.save(path, points)
        return read_landmarks(path)

    found = read(face)
    assert len(found) == 27
    expected = {"ex_right": face[36], "ex_left": face[45], "en_right": face[39], "ps_left": (face[43] + face[44]) / 2}
    expected |= {"ch_right": face[48], "ch_left": face[54], "prn": face[30], "gn": face[8], "lb_right": face[17]}
    for key, point in expected.items():
        assert np.allclose(found[key], point), key
        assert np.sign(np.round(found[key][0], 6)) == {"right": -1, "left": 1}.get(key[3:], 0)
    turned = read(Rotation.from_rotvec([0.4, 2.0, -1.0]).apply(face) + 500.0)
    assert set(turned) == set(found)
    unseen = face.copy()
    unseen[[36, 8]] = np.nan
    if name != "a.ljson":  # whose missing points are null
        assert set(found) - set(read(unseen)) == {"ex_right", "gn"}
    # Mirrored, another order, another scheme, a picture's points, another number.
    eyes_exchanged = face[[*range(36), *range(42, 48), *range(36, 42), *range(48, 68)]]
    for wrong in (face * [-1, 1, 1], face[::-1], eyes_exchanged, np.random.default_rng(0).normal(size=(68, 3))):
        with pytest.raises(LandmarkError, match=f"{name}: 68 points, but they do not lie from "):
            read(wrong)
    with pytest.raises(LandmarkError, match=r"of a picture|two-dimensional|not the header's 3 columns"):
        read(face[:, :2])
    with pytest.raises(LandmarkError, match=r"has no name|declares 68 points; 67 follow"):
        read(face[:67])


def test_ibug_points_of_a_real_scan(shared):
    """james: +x is the subject's left, +y up, +z front, so that every name's side and order can be checked."""
    scan = read_scan(shared / "scans" / "james.obj", landmarks=shared / "scans" / "james.ljson")
    marks = scan.landmarks
    for code in ("en", "ex", "ps", "pi", "mb", "lb", "sci", "ac", "ch", "cph"):
        assert marks[f"{code}_right"][0] < marks[f"{code}_left"][0], code
    across = [marks[n][0] for n in ("ex_right", "en_right", "en_left", "ex_left")]
    assert across == sorted(across) and 25 < across[2] - across[1] < 45
    for side in ("left", "right"):
        assert marks[f"pi_{side}"][1] < marks[f"ps_{side}"][1] < marks[f"sci_{side}"][1]
        assert abs(marks[f"mb_{side}"][0]) < abs(marks[f"lb_{side}"][0])
    down = [marks[n][1] for n in ("n", "prn", "sn", "ls", "sto", "li", "gn")]
    assert down == sorted(down, reverse=True)
    assert marks["prn"][2] == max(p[2] for p in marks.values())
    distance = [np.linalg.norm(scan.vertices - p, axis=1).min() for p in marks.values()]
    assert max(distance) < 5.0  # on the scan, whose edges are about 4 mm
