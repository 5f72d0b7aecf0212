"""Commands of a study of raters: blinded forms out, agreement in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from face3d.cli.common import Json, RequiredOut, StudyPath, check_writable, print_json

KitPath = Annotated[Path, typer.Argument(metavar="KIT", help="Folder that `face3d kit` wrote, its forms filled in.")]


def kit(
    study: StudyPath,
    out: RequiredOut,
    raters: Annotated[str, typer.Option(help='Their names, "anna,ben,carla".')],
    repeats: Annotated[
        int, typer.Option(help="So many exams are shown twice, to see how raters agree with themselves.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the codes and orders.")] = 0,
    json: Json = False,
) -> int:
    """Blinded forms for several raters out of a folder of examinations: codes, an order for each rater, repeats.

    forms/RATER.csv is filled in beside faces/CODE/; the key stays with whoever leads the study.
    """
    import numpy as np

    from face3d.cli.progress import steps
    from face3d.io.exam import find_exams
    from face3d.measuring.rating_kit import FORMS, KEY, write_kit

    check_writable(out)
    with steps(len(list(find_exams(study))) + repeats) as step:
        write_kit(study, out, raters.split(","), repeats, np.random.default_rng(seed), step)
    if json:
        print_json({"forms": str(out / FORMS), "key": str(out / KEY)})
    else:
        print(f"forms: {out / FORMS}; which code is whom (keep it from the raters): {out / KEY}")
    return 0


def ratings(
    kit: KitPath,
    exams: Annotated[
        Path | None,
        typer.Option(help="exams.csv of `face3d batch`: face3d's grades against the raters' median as well."),
    ] = None,
    json: Json = False,
) -> int:
    """Agreement of the raters with each other and with themselves, from the forms of a kit.

    Writes ratings.csv and agreement.csv into KIT; with --exams flow.csv and grades.csv, as STARD and TRIPOD ask for.
    """
    import pandas as pd

    from face3d.errors import SchemaError
    from face3d.io.write import write_bytes
    from face3d.measuring.rating_kit import against_raters, rater_agreement, read_ratings

    found = read_ratings(kit)
    tables = {"ratings": found, "agreement": rater_agreement(found)}
    if exams is not None:
        try:
            graded = pd.read_csv(exams, dtype={"subject": str, "visit": str}, keep_default_na=True)
            graded["visit"] = graded["visit"].fillna("")
            tables["flow"], tables["grades"] = against_raters(found, graded)
        except (OSError, ValueError, KeyError) as error:
            raise SchemaError(f"{exams}: not exams.csv of `face3d batch` ({error})") from None
    for name, table in tables.items():
        write_bytes(kit / f"{name}.csv", table.to_csv(index=False).encode())
    if json:
        print_json({name: str(kit / f"{name}.csv") for name in tables})
        return 0
    for row in tables["agreement"].to_dict("records"):
        span = f"[{row['low']:.2f}, {row['high']:.2f}]" if math.isfinite(row["low"]) else "[no interval]"
        note = f" ({row['note']})" if row["note"] else ""
        print(f"{row['scale']}, {row['among']}, {row['figure']}: {row['value']:.2f} {span}, n = {row['n']}{note}")
    return 0
