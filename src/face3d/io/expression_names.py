"""Which expression a name tells: a file's, or an entry's of a manifest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from face3d.exam import EXPRESSIONS

#: Other names that people give their files, without separators and in lower case.
ALIASES: Mapping[str, str] = {
    "neutral": "rest",
    "browraise": "brow_raise",
    "eyebrowraise": "brow_raise",
    "raisebrows": "brow_raise",
    "eyeclosure": "gentle_eye_closure",
    "eyesclosed": "gentle_eye_closure",
    "smile": "open_smile",
    "monalisa": "closed_smile",
    "nosewrinkle": "snarl",
    "pucker": "lip_pucker",
    "puff": "cheek_puff",
    "lowerlip": "lower_lip_depression",
}
#: What turns such a name into another expression: "closed_lips_smile" is no "smile".
_OTHERWISE: tuple[tuple[str, str, str], ...] = (
    ("open_smile", r"clos|lips?(?![a-z])|mouth", "closed_smile"),
    ("gentle_eye_closure", r"tight|forced?(?![a-z])|full|strong|squeez|maxim", "tight_eye_closure"),
)
_NAMES: Mapping[str, str] = {re.sub(r"[^a-z]", "", e): e for e in EXPRESSIONS} | dict(ALIASES)
#: How alike (`difflib` ratio) a misspelt name is to the one that was meant; unrelated words stay below.
_ALIKE = 0.75


def expression_of(stem: str, exact: bool = False) -> str | None:
    """The expression that a file's name tells, or None: "p017_Open-Smile", "sub-01_task-openSmile_face" ->
    "open_smile".

    The last `task-` label decides where there is one, otherwise the longest known name that the stem ends with
    (`exact`: is).
    """
    task = re.search(r"(?:task|expr)-([A-Za-z]+)", stem)
    if task:
        return _NAMES.get(task.group(1).lower())
    bare = re.sub(r"[^a-z]", "", stem.lower().removesuffix("_face"))
    if exact:
        return _NAMES.get(bare)
    name = next((n for n in sorted(_NAMES, key=len, reverse=True) if bare.endswith(n)), None)
    return None if name is None else _meant(name, stem)


def did_you_mean(name: str) -> str:
    """The expression whose name is nearest to a misspelt one, as a question; all of them where none is near."""
    words = re.findall(r"[a-z]+", _spaced(name))
    tails = ["".join(words[-n:]) for n in range(1, min(4, len(words)) + 1)]
    alike = ((difflib.SequenceMatcher(None, tail, known).ratio(), known) for tail in tails for known in _NAMES)
    best, known = max(alike, default=(0.0, ""))
    return f"did you mean {_meant(known, name)!r}?" if best >= _ALIKE else f"known are {', '.join(EXPRESSIONS)}"


def _meant(known: str, whole: str) -> str:
    """The expression of a known name, unless other words of the whole name say otherwise."""
    for usual, words, other in _OTHERWISE:
        if known in ALIASES and _NAMES[known] == usual and re.search(rf"(?<![a-z])(?:{words})", _spaced(whole)):
            return other
    return _NAMES[known]


def _spaced(name: str) -> str:
    """In lower case, with a space where camel case or an underscore parts words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name.removesuffix("_face")).lower()
