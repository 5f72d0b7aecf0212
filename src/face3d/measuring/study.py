"""A folder of exams as one tidy table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d.errors import Face3DError, SchemaError
from face3d.io.exam import find_exams, read_exam
from face3d.measuring.exam_measures import Measures

if TYPE_CHECKING:
    import pandas as pd

    from face3d.exam import Exam

KEYS = ["measure", "expression", "region", "side", "unit"]


def study_table(
    folder: str | Path, measuring: Callable[[Exam], Measures] | None = None,
    done: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """All measures of all exams below `folder`: one row a subject, visit and measure.

    An exam that cannot be read or measured becomes one row with measure "exam", NaN and the reason as its status; the
    others go on. `done(number, of, name)` is told after each. Raises `SchemaError` when there is no exam.
    """
    import pandas as pd

    if measuring is None:
        from face3d.measuring.examination import measure

        measuring = measure
    paths = list(find_exams(folder))
    tables = []
    for number, path in enumerate(paths, start=1):
        subject, visit = path.name, ""
        try:
            exam = read_exam(path)
            subject, visit = exam.subject, exam.visit or ""
            tables.append(measuring(exam).table)
        except Face3DError as error:
            failed = {"subject": subject, "visit": visit, "measure": "exam", "expression": "all", "region": "face"}
            failed |= {"side": "both", "value": np.nan, "unit": "1", "uncertainty": np.nan, "source": "face3d"}
            tables.append(pd.DataFrame([failed | {"status": str(error)}]))
        if done is not None:
            done(number, len(paths), f"{subject}/{visit}" if visit else subject)
    return pd.concat(tables, ignore_index=True)


def write_table(table: pd.DataFrame, folder: str | Path, name: str = "measures") -> tuple[Path, Path]:
    """Writes `name`.csv and `name`.parquet into the folder, made when it is not there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
    table.to_csv(csv, index=False)
    table.to_parquet(parquet, index=False)
    return csv, parquet


def read_table(path: str | Path) -> pd.DataFrame:
    """A table that `write_table` wrote, CSV or Parquet. Raises `SchemaError` that names the file."""
    import pandas as pd

    path = Path(path)
    if path.is_dir():
        path = path / "measures.csv"
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, keep_default_na=True)
    except (OSError, ValueError) as error:
        raise SchemaError(f"{path}: not a table of measures ({error}); see `face3d study`") from None
    if missing := {"subject", "value", *KEYS} - set(table.columns):
        raise SchemaError(f"{path}: columns {sorted(missing)} are missing; see `face3d study`")
    if "visit" in table:
        table["visit"] = table["visit"].astype(object).fillna("").astype(str)
    table["subject"] = table["subject"].astype(str)
    return table
