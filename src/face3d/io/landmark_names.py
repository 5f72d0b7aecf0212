"""Other people's names of landmarks, turned into those of `face3d.landmarks`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from face3d.errors import LandmarkError
from face3d.landmarks import MIDLINE, NAMES, PAIRED
from face3d.scan import Floats

# Names in words, and other authors' codes, of the same points (Farkas 1994; FaceBase and 3DMD landmark lists).
_WORDS: Mapping[str, str] = {
    "trichion": "tr",
    "glabella": "g",
    "nasion": "n",
    "pronasale": "prn",
    "nose tip": "prn",
    "nasal tip": "prn",
    "tip of nose": "prn",
    "pn": "prn",
    "columella": "c",
    "columella apex": "c",
    "subnasale": "sn",
    "labiale superius": "ls",
    "labrale superius": "ls",
    "upper lip": "ls",
    "stomion": "sto",
    "labiale inferius": "li",
    "labrale inferius": "li",
    "lower lip": "li",
    "sublabiale": "sl",
    "pogonion": "pg",
    "pog": "pg",
    "gnathion": "gn",
    "endocanthion": "en",
    "inner canthus": "en",
    "medial canthus": "en",
    "inner eye corner": "en",
    "inner eye": "en",
    "eye inner": "en",
    "eye inner corner": "en",
    "exocanthion": "ex",
    "outer canthus": "ex",
    "lateral canthus": "ex",
    "outer eye corner": "ex",
    "outer eye": "ex",
    "eye outer": "ex",
    "eye outer corner": "ex",
    "palpebrale superius": "ps",
    "upper eyelid": "ps",
    "upper lid": "ps",
    "palpebrale inferius": "pi",
    "lower eyelid": "pi",
    "lower lid": "pi",
    "superciliare": "sci",
    "alare": "al",
    "ala": "al",
    "alar curvature": "ac",
    "alar curvature point": "ac",
    "alar crest": "ac",
    "alare crest": "ac",
    "cheilion": "ch",
    "chelion": "ch",
    "mouth corner": "ch",
    "lip corner": "ch",
    "commissure": "ch",
    "oral commissure": "ch",
    "crista philtri": "cph",
    "christa philtri": "cph",
    "tragion": "t",
    "gonion": "go",
    "zygion": "zy",
    "frontotemporale": "ft",
}
# A prime marks the point of the skin over a point of bone; on a scan there is only skin, and both are one.
_SKIN = re.compile("['\u2019\u2018\u2032\u02b9\u02bc\u00b4`]|soft[ _-]?tissue", re.IGNORECASE)
_SIDES = {"l": "left", "lt": "left", "left": "left", "r": "right", "rt": "right", "right": "right"}


def canonical_name(name: str) -> str:
    """The scheme's name for `name` ("en_l", "enL", "left_en", "Ex right", "Right Exocanthion", "n'"); else `name`.

    Left and right are taken to be the subject's, as everywhere.
    """
    found = _scheme_name(_SKIN.sub("", name).strip())
    return found if found in NAMES else name.strip()


def is_known(name: str | None) -> bool:
    """Whether the scheme knows this name, in whatever way it is written."""
    return bool(name) and canonical_name(name) in NAMES


def unknown(names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that the scheme does not know: points that nothing is measured with."""
    return tuple(name for name in names if not is_known(name))


def _scheme_name(plain: str) -> str:
    if plain in NAMES:
        return plain
    # A capital L or R after a code is a side: "enL", "ExR"; but "TR" is trichion as "tr" is.
    camel = re.fullmatch(r"([A-Z]?[a-z]+)([LR])", plain)
    if camel and camel.group(1).lower() in PAIRED:
        return f"{camel.group(1).lower()}_{_SIDES[camel.group(2).lower()]}"
    words = re.sub(r"[\s_.\-:()]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)).strip().lower()
    if words in MIDLINE:
        return words
    if words in _WORDS and _WORDS[words] in MIDLINE:
        return _WORDS[words]
    parts = words.split()
    sides = [i for i in (0, len(parts) - 1) if len(parts) > 1 and parts[i] in _SIDES]
    if sides:
        rest = " ".join(p for i, p in enumerate(parts) if i != sides[0])
        code = rest if rest in PAIRED else _WORDS.get(rest, "")
        if code in PAIRED:
            return f"{code}_{_SIDES[parts[sides[0]]]}"
        if code in MIDLINE or rest in MIDLINE:
            return plain  # a side on a midline point: not ours
    if len(parts) == 1 and words[-1:] in ("l", "r") and words[:-1] in PAIRED:
        return f"{words[:-1]}_{_SIDES[words[-1]]}"
    return plain


_T = TypeVar("_T")

#: For messages.
KNOWN_NAMES = f"known are {', '.join(MIDLINE)} and, with _left or _right behind, {', '.join(PAIRED)}"


def renamed(landmarks: Mapping[str, _T]) -> dict[str, _T]:
    """The same points under the scheme's names; those that it does not know keep theirs.

    Raises `LandmarkError` when two of them become one, or when there are points and none has a known name.
    """
    out: dict[str, _T] = {}
    origin: dict[str, str] = {}
    for name, point in landmarks.items():
        key = canonical_name(str(name))
        if key in out:
            raise LandmarkError(f"landmarks {origin[key]!r} and {name!r} are both {key!r}; keep one")
        out[key], origin[key] = point, str(name)
    if out and not any(map(is_known, out)):
        raise LandmarkError(
            f"none of the {len(out)} landmarks has a known name: {', '.join(map(repr, out))[:120]}; {KNOWN_NAMES}"
        )
    return out


# The iBUG 68 points (Sagonas et al. 2013, 300 Faces in-the-Wild), numbered from 0, that lie on a landmark of the
# scheme; where two are named, it lies halfway. The annotation runs from the picture's left, the subject's right.
_IBUG: Mapping[str, tuple[int, ...]] = {
    "gn": (8,),
    "lb_right": (17,),
    "sci_right": (19,),
    "mb_right": (21,),
    "mb_left": (22,),
    "sci_left": (24,),
    "lb_left": (26,),
    "n": (27,),
    "prn": (30,),
    "ac_right": (31,),
    "sn": (33,),
    "ac_left": (35,),
    "ex_right": (36,),
    "ps_right": (37, 38),
    "en_right": (39,),
    "pi_right": (40, 41),
    "en_left": (42,),
    "ps_left": (43, 44),
    "ex_left": (45,),
    "pi_left": (46, 47),
    "ch_right": (48,),
    "cph_right": (50,),
    "ls": (51,),
    "cph_left": (52,),
    "ch_left": (54,),
    "li": (57,),
    "sto": (62, 66),
}
_IBUG_SIZES = {"jaw": 17, "brow": 5, "nose": 9, "eye": 6, "mouth": 20}
IBUG_POINTS = 68
# Points of the 68 that lie from the subject's right to the left on any face.
_ACROSS = ((0, 8, 16), (17, 21, 22, 26), (36, 39, 42, 45), (31, 33, 35), (48, 51, 54))


def from_ibug68(points: ArrayLike) -> dict[str, Floats]:
    """The scheme's landmarks from the 68 iBUG points (68, 3) in their order, NaN rows missing.

    Raises `LandmarkError` when they do not lie as those of a face do: another scheme, or left and right exchanged.
    """
    p = np.asarray(points, np.float64)
    if p.shape != (IBUG_POINTS, 3):
        raise LandmarkError(f"iBUG landmarks have shape {p.shape}; expected ({IBUG_POINTS}, 3)")

    def middle(*runs: tuple[int, int]) -> Floats:
        part = np.concatenate([p[a:b] for a, b in runs])
        part = part[np.isfinite(part).all(axis=1)]
        return part.sum(axis=0) / len(part) if len(part) else np.full(3, np.nan)

    with np.errstate(all="ignore"):
        across = middle((22, 27), (42, 48)) - middle((17, 22), (36, 42))
        across /= np.linalg.norm(across)
        brows, eyes, mouth = middle((17, 27)), middle((36, 48)), middle((48, 68))
        down = mouth - eyes - across * ((mouth - eyes) @ across)
        if not np.isfinite(np.concatenate([across, down])).all():
            raise LandmarkError("too few of the 68 iBUG points are placed: both eyes and the mouth are needed")
        rows = [(p[list(row)] @ across, "from right to left") for row in _ACROSS]
        rows.append((np.array([brows, eyes, p[33], mouth, p[8]]) @ down, "from brows to chin"))
        rows.append((np.array([eyes, p[30]]) @ np.cross(down, across), "from the eyes to the nose's tip in front"))
    for places, way in rows:
        if not (np.diff(places[np.isfinite(places)]) > 0).all():
            raise LandmarkError(
                f"68 points, but they do not lie {way} as iBUG's do: another scheme, or left and right exchanged"
            )
    named = {name: p[list(of)].mean(axis=0) for name, of in _IBUG.items()}
    return {name: point for name, point in named.items() if np.isfinite(point).all()}


def ibug_order(points: ArrayLike, groups: Mapping[str, Sequence[int]]) -> list[int]:
    """The numbers of 68 points in iBUG's order, from the labels of the face's parts (label -> point numbers).

    Whether a labelled eye or brow is the subject's right is taken from its points' own order (a right one starts at its
    outer end), since some files name sides after the picture. Raises `LandmarkError` for labels of other parts.
    """
    p = np.asarray(points, np.float64)
    parts: dict[str, list[list[int]]] = {kind: [] for kind in _IBUG_SIZES}
    for label, members in groups.items():
        kind = next((k for k in ("brow", "eye", "nose", "mouth") if k in label.lower()), None)
        kind = kind or ("jaw" if label.lower() in ("jaw", "chin") else None)
        if kind is not None and len(members) == _IBUG_SIZES[kind]:
            parts[kind].append(list(members))
    if [len(parts[k]) for k in ("jaw", "brow", "nose", "eye", "mouth")] != [1, 2, 1, 2, 1]:
        raise LandmarkError(f"the labels {', '.join(groups)[:200]} are not the parts of the iBUG 68 landmarks")
    bridge = p[parts["nose"][0][0]]

    def right_first(pair: list[list[int]], inner: int) -> list[int]:
        first, second = pair
        starts_outside = np.linalg.norm(p[first[0]] - bridge) > np.linalg.norm(p[first[inner]] - bridge)
        return first + second if starts_outside else second + first

    brows, eyes = right_first(parts["brow"], 4), right_first(parts["eye"], 3)
    return parts["jaw"][0] + brows + parts["nose"][0] + eyes + parts["mouth"][0]
