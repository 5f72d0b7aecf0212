"""A study of raters in a day: blinded forms out of a folder of exams, and what they say once they are filled in.

Every exam gets a code, some a second one, so that raters grade them twice without knowing; each rater sees all codes in
an order of their own. The scans are copied under their codes, geometry alone. `KEY` tells codes from people: it stays
with whoever leads the study, until all forms are in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d.errors import Face3DError, OutputError, SchemaError
from face3d.io.exam import find_exams, read_exam
from face3d.io.hand_table import read_rows
from face3d.io.manifest import GradeEntry
from face3d.io.write import write_bytes, write_scan
from face3d.reference.agreement import Estimate, icc
from face3d.reference.ratings import fleiss_kappa, gwet_ac
from face3d.reference.scales import SUNNYBROOK_MOVEMENTS, Sunnybrook

if TYPE_CHECKING:
    import pandas as pd

KEY, FORMS, FACES = "KEY_not_for_raters.csv", "forms", "faces"
RESTING = ("eye", "nasolabial", "mouth")
ITEMS = (
    *(f"resting_{name}" for name in RESTING),
    *(f"{kind}_{name}" for kind in ("voluntary", "synkinesis") for name in SUNNYBROOK_MOVEMENTS),
)
#: What a rater fills in, beside the code: House-Brackmann I..VI by the words of the table, Sunnybrook item by item.
COLUMNS = ("house_brackmann", *ITEMS, "comment")
#: Letters and digits that are not taken for each other.
_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
GRADES = range(1, 7)


def write_kit(
    study: str | Path,
    out: str | Path,
    raters: Sequence[str],
    repeats: int,
    rng: np.random.Generator,
    step: Callable[[str], None] = lambda name: None,
) -> Path:
    """Writes `FACES`/code/expression.ply, `FORMS`/rater.csv and `KEY` into `out`, which must not hold a kit; returns
    it.

    `repeats` exams, drawn by chance, are there twice. Raises `SchemaError` for a study without exams, fewer exams than
    repeats, or raters of the same name; `OutputError` where a kit lies already: its forms may be half filled in.
    """
    import pandas as pd

    out, names = Path(out), [r.strip() for r in raters]
    if len(set(names)) < len(names) or not all(n and n.replace("_", "").replace("-", "").isalnum() for n in names):
        raise SchemaError(f"raters {', '.join(names)}: give each a name of its own, of letters, digits, - and _")
    if (out / KEY).exists():
        raise OutputError(f"{out}: a kit lies here, whose forms may be filled in; give another folder")
    exams = [read_exam(path) for path in find_exams(study)]
    if not 0 <= repeats <= len(exams):
        raise SchemaError(f"{repeats} repeats of {len(exams)} exams; give 0 to {len(exams)}")
    shown = [(k, 1) for k in range(len(exams))]
    shown += [(int(k), 2) for k in rng.choice(len(exams), repeats, replace=False)]
    codes = _codes(len(shown), rng)
    for code, (k, _) in zip(codes, shown, strict=True):
        step(code)
        for expression in exams[k].expressions:
            folder = out / FACES / code
            folder.mkdir(parents=True, exist_ok=True)
            scan = exams[k].scan(expression)
            write_scan(folder / f"{expression}.ply", scan)
    (out / FORMS).mkdir(parents=True, exist_ok=True)
    for name in names:
        order = rng.permutation(len(codes))
        form = pd.DataFrame({"code": [codes[i] for i in order], **dict.fromkeys(COLUMNS, "")})
        write_bytes(out / FORMS / f"{name}.csv", form.to_csv(index=False).encode())
    rows = [(c, exams[k].subject, exams[k].visit or "", r) for c, (k, r) in zip(codes, shown, strict=True)]
    key = pd.DataFrame(rows, columns=["code", "subject", "visit", "showing"])
    write_bytes(out / KEY, key.to_csv(index=False).encode())
    return out


def _codes(count: int, rng: np.random.Generator) -> list[str]:
    codes: dict[str, None] = {}
    while len(codes) < count:
        codes["".join(rng.choice(list(_SIGNS), 4))] = None
    return list(codes)


def read_ratings(kit: str | Path) -> pd.DataFrame:
    """What the raters wrote: one row a rater and code, with subject, visit and showing (1 or 2); `house_brackmann` and
    `sunnybrook` (composite), NaN where not rated. Raises `SchemaError` that names form, code and fault."""
    import pandas as pd

    kit = Path(kit)
    try:
        key = pd.read_csv(kit / KEY, dtype=str, keep_default_na=False)
        forms = sorted((kit / FORMS).glob("*.csv"))
        tables = {f: pd.DataFrame(read_rows(f), dtype=str) for f in forms}
    except (OSError, ValueError) as error:
        raise SchemaError(f"{kit}: not a kit of `face3d kit` ({error})") from None
    known = {r["code"]: r for r in key.to_dict("records")}
    rows = []
    for form, table in tables.items():
        if missing := {"code", *COLUMNS} - {"comment"} - set(table.columns):
            raise SchemaError(f"{form}: columns {sorted(missing)} are missing; fill in the form as it was written")
        for line in table.to_dict("records"):
            code = line["code"].strip()
            if code not in known:
                raise SchemaError(f"{form}: code {code!r} is not in {KEY}")
            where = known[code]
            rows.append(
                {
                    "rater": form.stem,
                    "code": code,
                    "subject": where["subject"],
                    "visit": where["visit"],
                    "showing": int(where["showing"]),
                    **_rating(line, f"{form}: code {code}"),
                }
            )
    if not rows:
        raise SchemaError(f"{kit / FORMS}: no form is filled in")
    return pd.DataFrame(rows)


def _rating(line: dict[str, str], name: str) -> dict[str, Any]:
    text = line["house_brackmann"].strip()
    items = {k: line[k].strip() for k in ITEMS}
    given = {k for k, v in items.items() if v}
    try:
        grade = GradeEntry.model_validate({"house_brackmann": text}).house_brackmann if text else None
        if given and given != set(ITEMS):
            raise ValueError(
                f"{', '.join(k for k in ITEMS if k not in given)}: empty; give all Sunnybrook items, or none"
            )
        whole = {k: int(v) for k, v in items.items()} if given else {}
        composite = math.nan
        if whole:
            composite = Sunnybrook(
                *(whole[f"resting_{n}"] for n in RESTING),
                tuple(whole[f"voluntary_{n}"] for n in SUNNYBROOK_MOVEMENTS),  # type: ignore[arg-type]
                tuple(whole[f"synkinesis_{n}"] for n in SUNNYBROOK_MOVEMENTS),  # type: ignore[arg-type]
            ).composite
    except (ValueError, Face3DError) as error:
        raise SchemaError(f"{name}: {' '.join(str(error).split())[:200]}") from None
    return {"house_brackmann": math.nan if grade is None else float(grade), "sunnybrook": float(composite)}


def rater_agreement(ratings: pd.DataFrame) -> pd.DataFrame:
    """Between raters (first showings) and of each with himself (both showings): figure, value, low, high, n, note.

    House-Brackmann: Fleiss' kappa and Gwet's coefficient, plain and by squared steps. Sunnybrook: ICC(2,1) between
    raters, ICC(3,1) of a rater's two. Intervals are empty of too few people (`reference.intervals`).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []

    def told(scale: str, among: str, figure: str, e: Estimate) -> None:
        rows.append({"scale": scale, "among": among, "figure": figure} | vars(e))

    def graded(wide: pd.DataFrame, among: str) -> None:
        x, people = wide.to_numpy(np.float64), wide.index.get_level_values(0).to_numpy()
        if x.shape[1] > 1 and (np.isfinite(x).sum(axis=1) > 1).any():
            for weights in ("none", "quadratic"):
                told("House-Brackmann", among, f"Fleiss kappa, {weights}", fleiss_kappa(x, GRADES, weights, people))
                told("House-Brackmann", among, f"Gwet AC, {weights}", gwet_ac(x, GRADES, weights, people))

    def scored(wide: pd.DataFrame, among: str, kind: str) -> None:
        x = wide.to_numpy(np.float64)
        if x.shape[1] > 1 and np.isfinite(x).all(axis=1).sum() > 2:
            told("Sunnybrook", among, f"ICC({kind})", icc(x, kind))

    first = ratings.loc[ratings["showing"] == 1]
    exam = ["subject", "visit"]
    graded(first.pivot(index=exam, columns="rater", values="house_brackmann"), "all raters")
    scored(first.pivot(index=exam, columns="rater", values="sunnybrook"), "all raters", "2,1")
    for rater, own in ratings.groupby("rater"):
        twice = own.loc[own.duplicated(exam, keep=False)]
        if len(twice):
            graded(twice.pivot(index=exam, columns="showing", values="house_brackmann"), f"{rater}, twice")
            scored(twice.pivot(index=exam, columns="showing", values="sunnybrook"), f"{rater}, twice", "3,1")
    return pd.DataFrame(rows, columns=["scale", "among", "figure", "value", "low", "high", "n", "level", "note"])


def against_raters(ratings: pd.DataFrame, exams: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """face3d's grades in exams.csv of `face3d batch` against the raters' median (their first showings): what a STARD or
    TRIPOD report asks for. First table: how many exams there are at each step, and why the others are not; second: of
    each of face3d's House-Brackmann grades how many of each of theirs, rows theirs."""
    import pandas as pd

    theirs = ratings.loc[ratings["showing"] == 1].groupby(["subject", "visit"])["house_brackmann"].median()
    # Between two grades the worse: a half is no grade.
    reference = np.ceil(theirs).rename("raters").reset_index()
    both = exams.merge(reference, on=["subject", "visit"], how="left")
    graded, abstained = both["network_house_brackmann_by_movement"].notna(), both["network_abstained"] == True  # noqa: E712
    steps = {
        "exams measured": np.ones(len(both), bool),
        "rated by a rater (reference standard)": both["raters"].notna(),
        "of these graded, descriptive, by rule": both["raters"].notna()
        & both["rule_house_brackmann_descriptive"].notna(),
        "of these graded by the networks": both["raters"].notna() & graded,
        "of these not abstained on": both["raters"].notna() & graded & ~abstained,
    }
    flow = pd.DataFrame({"step": list(steps), "exams": [int(v.sum()) for v in steps.values()]})
    table = [
        {
            "test": test,
            "raters": g,
            **{f"given_{k}": int(np.sum((both[test] == k) & (both["raters"] == g))) for k in GRADES},
        }
        for test in ("rule_house_brackmann_descriptive", "network_house_brackmann_by_movement")
        for g in GRADES
    ]
    return flow, pd.DataFrame(table)
