"""The tidy table of measures that a study's exams are put into: what stands in it, and reading it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import SchemaError
from face3d.extras import require

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["measure", "expression", "region", "side", "unit"]
#: Columns of a table that hold text, and those that hold numbers, where what is missing may be written so.
_TEXT = ("subject", "visit", *KEYS, "status", "source")
_NUMBERS, _MISSING = ("value", "uncertainty"), ["", "NA", "N/A", "NaN", "nan", "null"]


#: What only kinematics has: of one movement, not of what is averaged over several.
_OF_MOVEMENTS = ("movement", "recording", "cutoff_hz")
#: Tables of a study's folder, the first that there is: of exams, and of recordings.
_TABLES = ("measures.csv", "kinematics.csv")
#: What the numbers of a whole recording are called, beside those of the expressions that it shows.
RECORDING = "recording"


def is_table(path: str | Path) -> bool:
    """Whether a path is a table of measures by its name, or a folder that `face3d batch` wrote one into."""
    path = Path(path)
    return path.suffix in (".csv", ".parquet") or any((path / name).is_file() for name in _TABLES)


def read_table(path: str | Path) -> pd.DataFrame:
    """Measures of a study, or kinematics, CSV or Parquet; names of subjects and visits are text ("001" stays so).

    Of kinematics, what a person repeats in one visit is averaged: one row a measure of each expression, as of exams;
    movements that nobody named cannot be compared and are left out. Raises `SchemaError` that names the file,
    `MissingExtraError` for Parquet without pyarrow.
    """
    import pandas as pd

    path = Path(path)
    if path.is_dir() and path.suffix != ".parquet":
        there = [path / name for name in _TABLES if (path / name).is_file()]
        if not there:
            raise SchemaError(f"{path}: no measures.csv in it; `face3d batch {path} --out FOLDER` makes one of exams")
        path = there[0]
    if path.suffix == ".parquet":
        require("pyarrow")
    try:
        # A subject may be called NA: only numbers can be missing.
        table = (
            pd.read_parquet(path)
            if path.suffix == ".parquet"
            else pd.read_csv(
                path,
                dtype={c: str for c in pd.read_csv(path, nrows=0).columns if c not in (*_NUMBERS, "movement")},
                keep_default_na=False,
                na_values=dict.fromkeys(_NUMBERS, _MISSING),
            )
        )
    except OSError as error:
        raise SchemaError(
            f"{path}: {error.strerror or error}; give measures.csv or .parquet of `face3d batch`"
        ) from None
    except ValueError as error:
        said = " ".join(str(error).split())  # pandas and pyarrow write lines
        raise SchemaError(f"{path}: not a table of measures ({said}); see `face3d batch`") from None
    if missing := {"subject", "value", *KEYS} - set(table.columns):
        raise SchemaError(f"{path}: columns {sorted(missing)} are missing; see `face3d batch`")
    for column in {"subject", "visit"} & set(table.columns):
        table[column] = table[column].astype(object).fillna("").astype(str)
    for column in (*_NUMBERS, "movement"):
        if column in table and not pd.api.types.is_numeric_dtype(table[column]):
            numbers = pd.Series(pd.to_numeric(table[column], errors="coerce"))
            odd = np.flatnonzero(numbers.isna() & table[column].notna())
            if len(odd):
                line = int(odd[0])
                raise SchemaError(
                    f"{path}: {column} is {str(table[column].iloc[line])!r} in line {line + 2}; expected a number"
                )
            table[column] = numbers
    return _of_movements(table) if "movement" in table else table


def groups_of(table: pd.DataFrame, column: str) -> dict[str, str]:
    """Subject -> what a column of a study's table says of them; subjects without a word are left out. Raises
    `SchemaError` where there is no such column, or one person is in two groups."""
    if column not in table:
        own = ", ".join(c for c in table if c not in (*_TEXT, *_NUMBERS))
        raise SchemaError(f"no column {column!r} in the table (beside its own there are {own}); see docs/batch.md")
    said = table[["subject", column]].dropna().drop_duplicates()
    said = said.loc[said[column] != ""]
    if twice := said.loc[said["subject"].duplicated(), "subject"].tolist():
        raise SchemaError(f"subject {twice[0]} has two values of {column!r}; a person is in one group")
    return dict(zip(said["subject"], said[column], strict=True))


def _of_movements(table: pd.DataFrame) -> pd.DataFrame:
    """Kinematics as a table of measures."""
    whole = table["movement"] == 0
    expression = table["expression"].fillna("").astype(str).mask(whole, RECORDING)
    known = table.assign(expression=expression).loc[(expression != "") & table["value"].notna()]
    more = [c for c in known if c not in (*_TEXT, *_NUMBERS, *_OF_MOVEMENTS)]
    by = [c for c in ("subject", "visit", *KEYS) if c in known]
    return known.groupby(by, sort=False, as_index=False).agg({"value": "mean", **dict.fromkeys(more, "first")})


@dataclass(frozen=True)
class Visited:
    """What a study's table of exams says of one: its `date`, None where nobody said it, and the `affected_side`."""

    date: datetime.date | None
    affected_side: str


def read_exams(path: str | Path) -> dict[tuple[str, str], Visited]:
    """(subject, visit) -> what `exams.csv` beside a table of measures says; empty where there is none."""
    import pandas as pd

    path = Path(path)
    file = (path if path.is_dir() and path.suffix != ".parquet" else path.parent) / "exams.csv"
    if not file.is_file():
        return {}
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        return {
            (r["subject"], r["visit"]): Visited(
                datetime.date.fromisoformat(r["date"]) if r.get("date") else None, r["affected_side"]
            )
            for r in table.to_dict("records")
        }
    except (OSError, ValueError, KeyError) as error:
        raise SchemaError(f"{file}: not a table of exams ({error}); see `face3d batch`") from None
