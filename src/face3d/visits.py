"""Labels of subjects and visits as people write them: what a folder's name tells, and which of two visits is earlier.

Studies call them `sub-p017/ses-pre`, `bob/6 months`, `bob_post-op`, or by numbers, of which 10 comes after 2.
"""

from __future__ import annotations

import datetime
import math
import re
from itertools import pairwise
from pathlib import Path

_BEFORE = frozenset({"pre", "preop", "before", "baseline", "initial", "screening", "intake", "onset", "admission"})
_AFTER = frozenset({"post", "postop", "after", "discharge"})
_LATER = frozenset({"followup", "fu", "follow"})
#: Days of a unit of time; single letters only behind a number ("6m"), since "m6" may well be a person.
_DAYS = {
    **dict.fromkeys(("day", "days"), 1.0),
    **dict.fromkeys(("week", "weeks", "wk", "w"), 7.0),
    **dict.fromkeys(("month", "months", "mo", "m"), 30.4),
    **dict.fromkeys(("year", "years", "yr", "y"), 365.25),
}
#: Words that name a visit by themselves, those that do so with a number behind them, and those that go along.
_NAMING = (_BEFORE | _AFTER | _LATER) - {"initial"}
_COUNTED = frozenset({"visit", "session", "day", "week", "month", "year"})
_COMPANY = frozenset({"op", "up", "surgery", "treatment", "therapy", "initial"})

VisitOrder = tuple[int, float, tuple[tuple[int, int, str], ...], str]


def visit_order(label: str) -> VisitOrder:
    """Key to sort visits by: what came before treatment first, then plain labels by their numbers (2 before 10), then
    after treatment, then by the time since ("6 weeks" before "2 months"), then follow-ups without one."""
    words = _words(label)
    known, days = set(words), _days(words)
    stage, since = 0, 0.0
    if known & _BEFORE:
        stage, since = -1, -(days or 0.0)
    elif days is not None:
        stage, since = 2, days
    elif known & _LATER:
        stage, since = 2, math.inf
    elif known & _AFTER:
        stage = 1
    return stage, since, tuple((0, int(w), "") if w.isdigit() else (1, 0, w) for w in words), label


def path_order(path: Path) -> tuple[VisitOrder, ...]:
    """Key to sort folders by: each part as a visit's label."""
    return tuple(visit_order(part) for part in path.parts)


def named_by(folder: Path) -> tuple[str, str | None]:
    """Subject and visit that a folder's place tells: ".../sub-p017/ses-pre/face" and ".../p017/pre" are ("p017",
    "pre"), ".../p017_pre" too, ".../p017" is ("p017", None)."""
    place = folder.resolve()
    place = place.parent if place.name == "face" else place
    visit = entity(place, "ses")
    subject = entity(place, "sub")
    if subject is not None:
        return subject, visit or (place.name if _is_visit(place.name) else None)
    if visit is not None:
        return place.parent.name if place.name == f"ses-{visit}" else place.name, visit
    if _is_visit(place.name) and place.parent.name:
        return place.parent.name, place.name
    head, tail = _split(place.name)
    return (head, tail) if tail else (place.name, None)


def entity(folder: Path, key: str) -> str | None:
    """The label of a BIDS entity in a path, the innermost: ("sub-p017/ses-pre/face", "ses") is "pre"."""
    for part in reversed(folder.parts):
        if found := re.search(rf"(?:^|_){key}-(.+?)(?=_[a-z]+-|$)", part):
            return found.group(1)
    return None


def _is_visit(name: str) -> bool:
    """Whether a name is a visit's beyond doubt: "pre", "post-op", "visit 2", "6 months", "2024-05-06"; not "2" or
    "m6"."""
    if re.fullmatch(r"(19|20)\d\d[-_]\d\d[-_]\d\d", name):
        try:
            datetime.date.fromisoformat(name.replace("_", "-"))
        except ValueError:
            return False
        return True
    words = _words(name)
    text = {w for i, w in enumerate(words) if not w.isdigit() and not _is_unit(words, i)}
    counted = any(a in _COUNTED and b.isdigit() for a, b in pairwise(words))
    timed = any(_is_unit(words, i) for i in range(len(words)))
    return (timed or counted or bool(text & _NAMING)) and text <= _NAMING | _COUNTED | _COMPANY


def _split(name: str) -> tuple[str, str]:
    """("p017", "post_op") of "p017_post_op"; no tail where none is a visit's."""
    for cut in re.finditer(r"[-_ ]+", name):
        head, tail = name[: cut.start()], name[cut.end() :]
        words = _words(tail)
        numbered = len(words) > 1 and words[0].isdigit() and not words[1].isdigit() and not _is_unit(words, 1)
        if head and not numbered and _is_visit(tail):  # the 1 of "p_1_pre" is the person's
            return head, tail
    return name, ""


def _words(label: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d+", label.lower())


def _is_unit(words: list[str], i: int) -> bool:
    """Whether a word is a unit of the number before it."""
    return words[i] in _DAYS and i > 0 and words[i - 1].isdigit()


def _days(words: list[str]) -> float | None:
    """The time that a label tells, in days: "6 months", "6m", "week 2"."""
    for i, word in enumerate(words):
        if _is_unit(words, i):
            return int(words[i - 1]) * _DAYS[word]
    for word, number in pairwise(words):
        if len(word) > 2 and word in _DAYS and number.isdigit():
            return int(number) * _DAYS[word]
    return None
