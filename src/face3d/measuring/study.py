"""A folder of exams as one tidy table."""

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
from face3d.visits import named_by

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["measure", "expression", "region", "side", "unit"]
#: Columns of a table that hold text, and those that hold numbers, where what is missing may be written so.
_TEXT = ("subject", "visit", *KEYS, "status", "source")
_NUMBERS, _MISSING = ("value", "uncertainty"), ["", "NA", "N/A", "NaN", "nan", "null"]


def study_table(
    folder: str | Path,
    measuring: Callable[[Exam], Measures] | None = None,
    done: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
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
