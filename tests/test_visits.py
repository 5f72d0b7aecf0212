"""Labels of visits: what folders tell, and which visit comes first."""

from pathlib import Path

import pytest

from face3d.visits import entity, named_by, path_order, visit_order


@pytest.mark.parametrize(
    "ordered",
    [
        ["1", "2", "10"],
        ["visit1", "visit2", "visit10"],
        ["V1", "v2", "V10"],
        ["pre", "post"],
        ["baseline", "6 weeks", "2 months", "12 months", "2 years"],
        ["preop", "1", "2", "post", "post 3 months", "follow-up"],
        ["4 weeks pre", "1 week pre", "pre", "post"],
        ["day 2", "week 1", "day 10", "month 1"],
        ["2024-02-01", "2024-02-10", "2024-11-01"],
        ["", "1", "a"],
    ],
)
def test_visits_in_the_order_of_time(ordered: list[str]) -> None:
    assert sorted(set(ordered), key=visit_order) == ordered


def test_folders_in_natural_order() -> None:
    paths = [Path(p) for p in ("p10/pre", "p2/post", "p2/pre", "p1/ses-10", "p1/ses-9")]
    assert [str(p) for p in sorted(paths, key=path_order)] == ["p1/ses-9", "p1/ses-10", "p2/pre", "p2/post", "p10/pre"]


@pytest.mark.parametrize(
    ("folder", "subject", "visit"),
    [
        ("/study/p017", "p017", None),
        ("/study/p017/face", "p017", None),
        ("/study/bob/pre", "bob", "pre"),
        ("/study/bob/Post-Op", "bob", "Post-Op"),
        ("/study/bob/6 months", "bob", "6 months"),
        ("/study/bob/6m/face", "bob", "6m"),
        ("/study/bob/2024-05-06", "bob", "2024-05-06"),
        ("/study/bob/ses-2", "bob", "2"),
        ("/study/bob_post_6_months", "bob", "post_6_months"),
        ("/study/p_1_pre", "p_1", "pre"),
        ("/study/sub-p017/ses-pre/face", "p017", "pre"),
        ("/study/sub-p017_ses-pre", "p017", "pre"),
        ("/study/sub-p0_17", "p0_17", None),
        ("/study/sub-01/post", "01", "post"),
        # No visits beyond doubt: a number, a letter with a number, a date that is none.
        ("/study/bob/2", "2", None),
        ("/study/m6", "m6", None),
        ("/study/v2", "v2", None),
        ("/study/week", "week", None),
        ("/study/2024-13-06", "2024-13-06", None),
    ],
)
def test_what_a_folder_tells(folder: str, subject: str, visit: str | None) -> None:
    assert named_by(Path(folder)) == (subject, visit)


def test_entities_of_a_path() -> None:
    assert entity(Path("sub-1/ses-2/face"), "ses") == "2"
    assert entity(Path("sub-1_ses-2"), "sub") == "1"
    assert entity(Path("p1/pre"), "sub") is None
