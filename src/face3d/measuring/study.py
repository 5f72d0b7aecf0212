"""A folder of exams as one tidy table, and what a study asks of it: agreement of repeats, change of groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import Face3DError, OutputError, ScanError, SchemaError
from face3d.exam import Exam
from face3d.extras import require
from face3d.io.exam import find_exams, read_exam
from face3d.io.write import write_bytes
from face3d.measuring.exam_measures import Measures
from face3d.reference.agreement import (
    bland_altman,
    bootstrap_by_subject,
    detectable_change,
    icc,
    response_mean,
    standard_error_of_measurement,
    technical_error,
)
from face3d.visits import named_by, visit_order

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["measure", "expression", "region", "side", "unit"]
#: Columns of a table that hold text, and those that hold numbers, where what is missing may be written so.
_TEXT = ("subject", "visit", *KEYS, "status", "source")
_NUMBERS, _MISSING = ("value", "uncertainty"), ["", "NA", "N/A", "NaN", "nan", "null"]


def study_table(
    folder: str | Path, measuring: Callable[[Exam], Measures] | None = None,
    done: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """All measures of all exams below `folder`: one row a subject, visit and measure.

    A subject's exams follow by date where all have one, else by their visits' labels. An exam that cannot be read or
    measured, or has another's subject and visit, becomes one row with measure "exam", NaN and the reason as its status;
    the others go on. `done(number, of, name)` is told after each. Raises `SchemaError` when there is no exam.
    """
    import pandas as pd

    if measuring is None:
        from face3d.measuring.examination import measure

        measuring = measure
    exams = _in_time([(path, _read(path)) for path in find_exams(folder)])
    tables, places = [], {}
    for number, (path, exam) in enumerate(exams, start=1):
        subject, visit = named_by(path)[0], named_by(path)[1] or ""
        try:
            if not isinstance(exam, Exam):
                raise exam
            subject, visit = exam.subject, exam.visit or ""
            if (first := places.setdefault((subject, visit), path)) != path:
                raise SchemaError(f"{path}: {first} is {exam.name} too; give each exam a subject or visit of its own")
            tables.append(measuring(exam).table)
        except Face3DError as error:
            failed = {"subject": subject, "visit": visit, "measure": "exam", "expression": "all", "region": "face"}
            failed |= {"side": "both", "value": np.nan, "unit": "1", "uncertainty": np.nan, "source": "face3d"}
            tables.append(pd.DataFrame([failed | {"status": str(error)}]))
        if done is not None:
            done(number, len(exams), f"{subject}/{visit}" if visit else subject)
    return pd.concat(tables, ignore_index=True)


def _read(path: Path) -> Exam | Face3DError:
    try:
        return read_exam(path)
    except Face3DError as error:
        return error


def _in_time(exams: list[tuple[Path, Exam | Face3DError]]) -> list[tuple[Path, Exam | Face3DError]]:
    """The exams of each subject by their dates where all have one; else as they are, in the order of their visits'
    labels."""
    people: dict[str, list[tuple[Path, Exam | Face3DError]]] = {}
    for path, exam in exams:
        people.setdefault(exam.subject if isinstance(exam, Exam) else f"{path}", []).append((path, exam))
    for own in people.values():
        dates = {path: exam.date for path, exam in own if isinstance(exam, Exam) and exam.date is not None}
        if len(dates) == len(own):
            own.sort(key=lambda one: dates[one[0]])
    return [one for own in people.values() for one in own]


def write_table(table: pd.DataFrame, folder: str | Path, name: str = "measures") -> tuple[Path, Path]:
    """Writes `name`.csv and `name`.parquet into the folder, made when it is not there; each appears whole or not at
    all. Raises `MissingExtraError` without pyarrow, `OutputError` when the folder cannot be written."""
    require("pyarrow")
    folder = Path(folder)
    csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(csv, table.to_csv(index=False).encode())
        write_bytes(parquet, table.to_parquet(None, index=False))
    except (OSError, ScanError) as error:
        raise OutputError(f"{folder}: the tables cannot be written ({error}); give another folder") from None
    return csv, parquet


def read_table(path: str | Path) -> pd.DataFrame:
    """A table that `write_table` wrote, CSV or Parquet; names of subjects and visits are text ("001" stays so). Raises
    `SchemaError` that names the file, `MissingExtraError` for Parquet without pyarrow."""
    import pandas as pd

    path = Path(path)
    if path.is_dir():
        if not (path / "measures.csv").is_file():
            raise SchemaError(f"{path}: no measures.csv in it; `face3d study {path} --out FOLDER` makes one of exams")
        path = path / "measures.csv"
    if path.suffix == ".parquet":
        require("pyarrow")
    try:
        # A subject may be called NA: only numbers can be missing.
        table = (
            pd.read_parquet(path)
            if path.suffix == ".parquet"
            else pd.read_csv(
                path,
                dtype=dict.fromkeys(_TEXT, str),
                keep_default_na=False,
                na_values=dict.fromkeys(_NUMBERS, _MISSING),
            )
        )
    except OSError as error:
        raise SchemaError(
            f"{path}: {error.strerror or error}; give measures.csv or .parquet of `face3d study`"
        ) from None
    except ValueError as error:
        raise SchemaError(f"{path}: not a table of measures ({error}); see `face3d study`") from None
    if missing := {"subject", "value", *KEYS} - set(table.columns):
        raise SchemaError(f"{path}: columns {sorted(missing)} are missing; see `face3d study`")
    for column in {"subject", "visit"} & set(table.columns):
        table[column] = table[column].astype(object).fillna("").astype(str)
    for column in _NUMBERS:
        if column in table and not pd.api.types.is_numeric_dtype(table[column]):
            line, odd = next((i, v) for i, v in enumerate(table[column].tolist(), start=2) if not _is_number(v))
            raise SchemaError(f"{path}: {column} is {odd!r} in line {line}; expected a number")
    return table


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _wide(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    visits = set(table["visit"])
    for visit in (first, second):
        if visit not in visits:
            known = ", ".join(sorted(map(str, visits), key=visit_order))
            raise SchemaError(f"no visit {visit!r} in the study; there are {known}")
    chosen = table[table["visit"].isin([first, second]) & table["value"].notna()]
    wide = chosen.pivot_table(index=["subject", *KEYS], columns="visit", values="value", aggfunc="mean")
    return wide.dropna(subset=[first, second]).reset_index()


def agreement_table(table: pd.DataFrame, first: str, second: str, least: int = 3) -> pd.DataFrame:
    """Agreement of two visits without a true change between them: one row a measure and side.

    ICC(2,1), ICC(3,1) with intervals, TEM, SEM, MDC95, Bland-Altman bias and limits (second - first).
    """
    import pandas as pd

    rows = []
    for _, group in _wide(table, first, second).groupby(KEYS):
        a, b = group[first].to_numpy(), group[second].to_numpy()
        if len(a) < least:
            continue
        both = np.stack([a, b], axis=1)
        absolute, consistent, limits = icc(both), icc(both, "3,1"), bland_altman(a, b)
        sem = standard_error_of_measurement(both)
        rows.append({
            **group[KEYS].iloc[0].to_dict(), "n": len(a),
            "icc21": absolute.value, "icc21_low": absolute.low, "icc21_high": absolute.high,
            "icc31": consistent.value, "icc31_low": consistent.low, "icc31_high": consistent.high,
            "tem": technical_error(a, b), "sem": sem, "mdc95": detectable_change(sem, len(a)),
            "bias": limits.bias.value, "limit_low": limits.lower.value, "limit_high": limits.upper.value,
        })  # fmt: skip
    return pd.DataFrame(rows)


def group_change(table: pd.DataFrame, before: str, after: str, seed: int = 0, least: int = 3) -> pd.DataFrame:
    """Change of a group between two visits: one row a measure and side.

    Mean change and standardised response mean with bootstrap intervals by subject. What a group shows is not any
    one person's change: for that see `face3d compare`.
    """
    import pandas as pd

    rows = []
    for _, group in _wide(table, before, after).groupby(KEYS):
        a, b = group[before].to_numpy(), group[after].to_numpy()
        if len(a) < least:
            continue
        subjects, change = group["subject"].to_numpy(), b - a
        mean = bootstrap_by_subject(lambda i, c=change: float(c[i].mean()), subjects, np.random.default_rng(seed))
        size = bootstrap_by_subject(
            lambda i, x=a, y=b: response_mean(x[i], y[i]), subjects, np.random.default_rng(seed)
        )  # fmt: skip
        rows.append({
            **group[KEYS].iloc[0].to_dict(), "n": len(a),
            "before": a.mean(), "after": b.mean(), "change": mean.value, "change_low": mean.low,
            "change_high": mean.high, "srm": size.value, "srm_low": size.low, "srm_high": size.high,
        })  # fmt: skip
    return pd.DataFrame(rows)
