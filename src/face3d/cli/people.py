"""Commands about many people: studies, norms, simulated ones, and learning from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from face3d.cli.common import Json, Out, RequiredOut, check_writable, print_json
from face3d.errors import SchemaError

if TYPE_CHECKING:
    import pandas as pd


def study(
    table: Annotated[
        Path,
        typer.Argument(metavar="TABLE", help="What `face3d batch` wrote: its folder, or measures.csv or .parquet."),
    ],
    out: RequiredOut,
    repeats: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="VISIT VISIT",
            help="Two visits, or two takes of one, without a true change between them: agreement.csv.",
        ),
    ] = None,
    change: Annotated[
        tuple[str, str] | None, typer.Option(metavar="BEFORE AFTER", help="Two visits, a change sought: change.csv.")
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="A column of TABLE (of a manifest's), or a CSV with the columns subject and group; with --change and "
            "--control: adjusted.csv."
        ),
    ] = None,
    control: Annotated[str | None, typer.Option(help="The group that the others are compared with.")] = None,
    json: Json = False,
) -> int:
    """Compare visits and groups in what `face3d batch` measured.

    report.html: the end points over the visits, of groups and of each person, beside the change that error explains;
    courses.csv the same as a table. agreement.csv: ICC, TEM, SEM, detectable change, Bland-Altman limits; of ten people
    or more repeatability.json too, your own scanner's detectable changes for `face3d compare --repeatability`.
    change.csv: mean change of the group with its interval, p also adjusted for the number of measures (Holm; false
    discovery rate). adjusted.csv: how much more the people of a group changed than those of the control group, from
    the same start (analysis of covariance). TABLE may be kinematics.csv, of recordings: what a person repeats in a
    visit is averaged.
    """
    from face3d.io.exam import refusal
    from face3d.measuring.study import is_table, read_exams, read_table
    from face3d.report.study_outputs import write_study

    check_writable(out)
    if not is_table(table):
        raise SchemaError(refusal(table, "table"))
    if control is not None and (groups is None or change is None):
        raise SchemaError("groups are compared by --groups NAME --control NAME --change BEFORE AFTER, all of them")
    if change is not None and groups is not None and control is None:
        raise SchemaError("--change and --groups: say with --control which group the others are compared with")
    name = table.name if table.is_dir() else table.absolute().parent.name
    measures = read_table(table)
    of = {} if groups is None else _groups(groups, measures)
    found = write_study(measures, read_exams(table), name, out, repeats, change, of, control)
    made = {name: str(file) for name, file in found.items()}
    print_json(made) if json else print(", ".join(made.values()))
    return 0


def _groups(named: str, measures: pd.DataFrame) -> Mapping[str, str]:
    """Subject -> group, of a column of the study's table, or of a file of its own."""
    import pandas as pd

    from face3d.io.hand_table import read_rows
    from face3d.measuring.study import groups_of

    if named in measures.columns:
        return groups_of(measures, named)
    file = Path(named)
    try:
        table = pd.DataFrame(read_rows(file), dtype=str)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise SchemaError(
            f"{file}: neither a column of the table nor a table of groups ({said}); expected columns subject, group"
        ) from None
    if missing := {"subject", "group"} - set(table.columns):
        raise SchemaError(f"{file}: columns {sorted(missing)} are missing; expected subject, group")
    if twice := table.loc[table["subject"].duplicated(), "subject"].tolist():
        raise SchemaError(f"{file}: subject {twice[0]} is named twice; a person is in one group")
    return dict(zip(table["subject"], table["group"], strict=True))


def norms(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="measures.csv or .parquet of `face3d batch`, of healthy people.")
    ],
    out: Annotated[Path, typer.Option(help="File for the norms, JSON.")],
    population: Annotated[str, typer.Option(help='Who was measured, e.g. "healthy adults, Lyon".')],
    source: Annotated[str, typer.Option(help="Where the study is described.")],
    device: Annotated[str | None, typer.Option(help="The scanner.")] = None,
    json: Json = False,
) -> int:
    """Make reference values of your own from a study of healthy people."""
    from face3d.errors import SchemaError
    from face3d.measuring.study import read_table
    from face3d.reference.norms import LEAST_PEOPLE, norms_from, write_norms

    check_writable(out.parent)
    found = norms_from(read_table(table), population, source, device=device)
    if not found:
        raise SchemaError(f"{table}: no measure of {LEAST_PEOPLE} people or more who differ; norms need them")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_norms(out, found)
    if json:
        print_json({"norms": len(found), "file": str(out)})
    else:
        print(f"{len(found)} norms: {out}")
    return 0


def simulate(
    out: RequiredOut,
    subjects: Annotated[int, typer.Option(help="How many people; one examination each.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    scanner: Annotated[
        str, typer.Option(help="stereophotogrammetry, structured_light, depth_camera or fixed_mesh.")
    ] = "stereophotogrammetry",
    points: Annotated[int, typer.Option(help="Vertices of a scan (surface scanners).")] = 20_000,
    movement: Annotated[
        str, typer.Option(help='Movement set: "a", "b", "waters", or "transfer": train on a, test on the others.')
    ] = "a",
    color: Annotated[bool, typer.Option("--color", help="Skin colour at each vertex.")] = False,
    sequences: Annotated[bool, typer.Option("--sequences", help="Each expression in time as well.")] = False,
    treatment: Annotated[
        str | None,
        typer.Option(help='"reanimation" or "botulinum": patients only, each examined before and after it.'),
    ] = None,
    frozen: Annotated[
        str | None,
        typer.Option(help="A frozen benchmark by name, e.g. face3d-bench-v2; other options then don't count."),
    ] = None,
    json: Json = False,
) -> int:
    """Write simulated examinations of facial palsy whose truth is known. A stopped run goes on where it was."""
    from face3d.cli.progress import steps
    from face3d.simulate.benchmark import CARD, table_checksum, write_benchmark
    from face3d.simulate.definition import Definition

    check_writable(out)
    if frozen is not None:
        wanted = Definition.frozen(frozen)
    else:
        wanted = Definition("simulated", seed, subjects, scanner, points, movement, color, sequences, treatment or "")
    with steps(wanted.subjects) as step:
        folders = write_benchmark(out, wanted, step)
    if json:
        print_json({"out": str(out), "exams": [f.name for f in folders], "truth_sha256": table_checksum(wanted)})
    else:
        print(f"{len(folders)} examinations in {out}; what they are: {out / CARD}")
    return 0


def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="JSON or TOML; fields as in TrainConfig, `data` first.")
    ],
    out: RequiredOut,
    json: Json = False,
) -> int:
    """Train a grader on labelled exams, a benchmark or examples, with subjects held out. A stopped run goes on.

    "start_from": "shipped" in the configuration goes on from the grader that ships with face3d.
    """
    from face3d.cli.progress import steps
    from face3d.extras import require

    require("torch").set_num_threads(1)  # more threads than free cores make small networks many times slower
    from face3d.grading.weights import read_card
    from face3d.learn.architectures import network_class
    from face3d.learn.dataset import ExampleSet, example_files
    from face3d.learn.training import LOG, TrainConfig, architecture_of
    from face3d.learn.training import train as learn

    check_writable(out)
    wanted = TrainConfig.read(config)
    with steps(wanted.epochs) as step:
        files = [f for folder in wanted.data for f in example_files(Path(folder), out / "examples", step)]
        points = "points" in network_class(architecture_of(wanted)).uses
        grader = learn(wanted, ExampleSet(files, points), out, step)
    held_out = read_card(grader)["held_out"]
    if json:
        known = {name: value if math.isfinite(value) else None for name, value in held_out.items()}
        print_json({"grader": str(grader), "log": str(out / LOG), "held_out": known})
    else:
        print(f"{grader}; {held_out['exams']} exams held out: " + _figures(held_out) + f"; log: {out / LOG}")
    return 0


def _figures(held_out: dict[str, float]) -> str:
    off = {"grade": f"{held_out['grade_mae']:.2f}", "severity": f"{held_out['severity_mae']:.3f}"}
    known = {name: text for name, text in off.items() if math.isfinite(held_out[f"{name}_mae"])}
    return ", ".join(f"{name} off by {text} on average" for name, text in known.items()) or "their grades are not known"


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help='"shipped", "rules", or weights that `face3d train` wrote.')
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of exams with grades, a benchmark, or examples.")
    ],
    out: Out = None,
    json: Json = False,
) -> int:
    """Say how well a model grades: agreement, error, side, calibration, by grade and group, with intervals.

    Exams are fitted once and kept in --out. Of a benchmark only the subjects that it keeps for testing count.
    """
    import tempfile

    from face3d.cli.progress import steps
    from face3d.extras import require
    from face3d.report.folder import EVALUATION, REPORT
    from face3d.report.outputs import write_evaluation

    if out is not None:
        check_writable(out)
    require("torch")
    from face3d.grading.weights import read_card
    from face3d.learn.dataset import example_files
    from face3d.learn.evaluation import evaluate_examples

    if model not in ("shipped", "rules"):
        read_card(Path(model))  # said now, not after all exams are fitted

    with steps(2) as step, tempfile.TemporaryDirectory() as scratch:
        files = example_files(data, Path(scratch) if out is None else out / "examples", step, tests=True)
        step("evaluating")
        evaluation, predicted, truth = evaluate_examples(model, files)
    print(evaluation.to_json() if json else evaluation.to_text())
    if out is not None:
        write_evaluation(evaluation, predicted, truth, model, data.name, out)
        if not json:
            print(f"report: {out / REPORT}; numbers: {out / EVALUATION}")
    return 0
