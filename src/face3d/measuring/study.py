"""The tidy table of measures that a study's exams are put into: what stands in it, and reading it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from face3d.errors import SchemaError
from face3d.extras import require

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["measure", "expression", "region", "side", "unit"]
#: Columns of a table that hold text, and those that hold numbers, where what is missing may be written so.
_TEXT = ("subject", "visit", *KEYS, "status", "source")
_NUMBERS, _MISSING = ("value", "uncertainty"), ["", "NA", "N/A", "NaN", "nan", "null"]


def is_table(path: str | Path) -> bool:
    """Whether a path is a table of measures by its name, or a folder that `face3d batch` wrote one into."""
    path = Path(path)
    return path.suffix in (".csv", ".parquet") or (path / "measures.csv").is_file()


def read_table(path: str | Path) -> pd.DataFrame:
    """Measures of a study, CSV or Parquet; names of subjects and visits are text ("001" stays so). Raises
    `SchemaError` that names the file, `MissingExtraError` for Parquet without pyarrow."""
    import pandas as pd

    path = Path(path)
    if path.is_dir() and path.suffix != ".parquet":
        if not (path / "measures.csv").is_file():
            raise SchemaError(f"{path}: no measures.csv in it; `face3d batch {path} --out FOLDER` makes one of exams")
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
            f"{path}: {error.strerror or error}; give measures.csv or .parquet of `face3d batch`"
        ) from None
    except ValueError as error:
        raise SchemaError(f"{path}: not a table of measures ({error}); see `face3d batch`") from None
    if missing := {"subject", "value", *KEYS} - set(table.columns):
        raise SchemaError(f"{path}: columns {sorted(missing)} are missing; see `face3d batch`")
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
