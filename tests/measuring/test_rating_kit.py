"""A study of raters: forms tell nothing, orders differ, and what is filled in comes back under the right names."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from face3d import cli
from face3d.errors import OutputError, SchemaError
from face3d.io.write import write_scan
from face3d.measuring.rating_kit import (
    FACES,
    FORMS,
    ITEMS,
    KEY,
    against_raters,
    rater_agreement,
    read_ratings,
    write_kit,
)
from face3d.scan import FaceScan

PEOPLE = 24


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    triangle = FaceScan(np.array([[0.0, 0, 0], [60, 0, 0], [0, 90, 40]]), np.array([[0, 1, 2]]))
    for k in range(PEOPLE):
        folder = out / f"smith{k}"
        folder.mkdir()
        for name in ("rest", "open_smile"):
            write_scan(folder / f"{name}.ply", triangle)
        manifest = {"subject": f"smith{k}", "units": "mm", "scans": {n: f"{n}.ply" for n in ("rest", "open_smile")}}
        (folder / "exam.json").write_text(json.dumps(manifest))
    return out


@pytest.fixture
def kit(study: Path, tmp_path: Path) -> Path:
    return write_kit(study, tmp_path / "kit", ["anna", "ben", "carla"], 6, np.random.default_rng(1))


def fill(kit: Path, noise: float = 0.5, seed: int = 0) -> dict[str, int]:
    """Fills in the forms: subject k is of grade 1 + k % 6, as each rater sees it. Returns subject -> grade."""
    rng = np.random.default_rng(seed)
    key = pd.read_csv(kit / KEY, dtype=str, keep_default_na=False).set_index("code")
    true = {s: 1 + int(s.removeprefix("smith")) % 6 for s in set(key["subject"])}
    for form in (kit / FORMS).glob("*.csv"):
        table = pd.read_csv(form, dtype=str, keep_default_na=False)
        for i, code in enumerate(table["code"]):
            grade = int(np.clip(np.rint(true[key.loc[code, "subject"]] + noise * rng.normal()), 1, 6))
            table.loc[i, "house_brackmann"] = ("I", "II", "III", "IV", "V", "VI")[grade - 1]
            for item in ITEMS:
                low, high = {"r": (0, 1), "v": (1, 5), "s": (0, 3)}[item[0]]
                table.loc[i, item] = str(int(np.clip(6 - grade if item[0] == "v" else 0, low, high)))
        table.to_csv(form, index=False)
    return true


def test_forms_tell_nothing_and_every_rater_has_an_order_of_his_own(kit: Path) -> None:
    key = pd.read_csv(kit / KEY, dtype=str)
    assert len(key) == PEOPLE + 6 == len(set(key["code"]))
    assert key["showing"].tolist().count("2") == 6
    orders = {}
    for form in (kit / FORMS).glob("*.csv"):
        text = form.read_text()
        assert "smith" not in text
        orders[form.stem] = pd.read_csv(form)["code"].tolist()
        assert sorted(orders[form.stem]) == sorted(key["code"])
    assert set(orders) == {"anna", "ben", "carla"}
    assert len({tuple(o) for o in orders.values()}) == 3
    for code in key["code"]:
        for file in (kit / FACES / code).iterdir():
            assert b"smith" not in file.read_bytes()
    assert {p.name for p in (kit / FACES / key["code"][0]).iterdir()} == {"rest.ply", "open_smile.ply"}


def test_what_is_filled_in_comes_back(kit: Path) -> None:
    true = fill(kit, noise=0.0)
    forms = sorted((kit / FORMS).glob("*.csv"))
    forms[0].write_text(forms[0].read_text().replace(",", ";"))  # as a German spreadsheet saves it
    found = read_ratings(kit)
    assert len(found) == 3 * (PEOPLE + 6)
    assert all(row["house_brackmann"] == true[row["subject"]] for row in found.to_dict("records"))
    best = found.loc[found["house_brackmann"] == 1, "sunnybrook"]
    assert set(best) == {100}
    agreed = rater_agreement(found)
    assert agreed.loc[agreed["scale"] == "House-Brackmann", "value"].tolist() == pytest.approx([1.0] * 16)
    assert set(agreed["among"]) == {"all raters", "anna, twice", "ben, twice", "carla, twice"}


def test_agreement_falls_with_noise_and_has_intervals_of_enough_people(kit: Path) -> None:
    fill(kit, noise=0.7)
    agreed = rater_agreement(read_ratings(kit)).set_index(["among", "figure"])
    plain = agreed.loc[("all raters", "Fleiss kappa, none")]
    squared = agreed.loc[("all raters", "Fleiss kappa, quadratic")]
    assert 0.2 < plain["value"] < 0.7 < squared["value"] < 0.97
    assert plain["low"] < plain["value"] < plain["high"] and plain["n"] == PEOPLE
    assert np.isnan(agreed.loc[("ben, twice", "Gwet AC, none"), "low"])  # six people
    assert "3 raters" in agreed.loc[("all raters", "ICC(2,1)"), "note"]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("house_brackmann", "VII", "no House-Brackmann grade"),
        ("resting_eye", "", "resting_eye: empty; give all Sunnybrook items"),
        ("voluntary_brow", "6", "voluntary"),
        ("synkinesis_eye", "much", "much"),
        ("code", "XXXX", "'XXXX' is not in"),
    ],
)
def test_a_faulty_form_is_named(kit: Path, column: str, value: str, said: str) -> None:
    fill(kit)
    form = kit / FORMS / "ben.csv"
    table = pd.read_csv(form, dtype=str, keep_default_na=False)
    table.loc[3, column] = value
    table.to_csv(form, index=False)
    with pytest.raises(SchemaError, match=f"ben.csv.*{said}"):
        read_ratings(kit)


def test_a_kit_is_not_written_over_and_raters_have_names(study: Path, kit: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(OutputError, match="a kit lies here"):
        write_kit(study, kit, ["a"], 0, rng)
    with pytest.raises(SchemaError, match="a name of its own"):
        write_kit(study, tmp_path / "k", ["a", "a"], 0, rng)
    with pytest.raises(SchemaError, match="a name of its own"):
        write_kit(study, tmp_path / "k", ["../a"], 0, rng)
    with pytest.raises(SchemaError, match="25 repeats of 24 exams"):
        write_kit(study, tmp_path / "k", ["a"], 25, rng)
    with pytest.raises(SchemaError, match="not a kit"):
        read_ratings(tmp_path)


def test_face3ds_grades_stand_against_the_raters_median(kit: Path) -> None:
    true = fill(kit, noise=0.0)
    exams = pd.DataFrame(
        {
            "subject": [*true, "unrated"],
            "visit": "",
            "rule_house_brackmann_descriptive": [*true.values(), 3],
            "network_house_brackmann_by_movement": [*(min(g + 1, 6) for g in true.values()), np.nan],
            "network_abstained": [g == 6 for g in true.values()] + [np.nan],
        }
    )
    flow, table = against_raters(read_ratings(kit), exams)
    assert flow["exams"].tolist() == [25, 24, 24, 24, 20]
    rule = table.loc[table["test"] == "rule_house_brackmann_descriptive"].drop(columns=["test", "raters"])
    assert np.array_equal(rule.to_numpy(), 4 * np.eye(6))
    network = table.loc[table["test"] == "network_house_brackmann_by_movement"].drop(columns=["test", "raters"])
    assert network.to_numpy()[0, 1] == 4 and network.to_numpy()[5, 5] == 4


def test_commands_write_and_read(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "kit")
    assert cli.run(["kit", str(study), "--out", out, "--raters", "anna, ben", "--repeats", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key"].endswith(KEY)
    fill(Path(out))
    assert cli.run(["ratings", out]) == 0
    assert "House-Brackmann, all raters, Fleiss kappa, none" in capsys.readouterr().out
    assert {"ratings.csv", "agreement.csv"} <= {p.name for p in Path(out).iterdir()}
    assert cli.run(["kit", str(study), "--out", out, "--raters", "anna"]) == 2
    assert cli.run(["ratings", str(tmp_path / "gone")]) == 2
