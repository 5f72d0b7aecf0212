"""The command line. A command is a short function that calls one module; heavy imports stay inside.

Exit codes: 0 done; 2 bad input or usage, with one line on standard error that names the file, the cause and the
way out; 1 a defect of ours, with its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import face3d
from face3d.errors import Face3DError
from face3d.extras import extra_of, missing

if TYPE_CHECKING:
    from face3d.scan import FaceScan

# Plain help: rich markup would cost half of the time that `face3d --help` may take.
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

ScanFile = Annotated[
    Path, typer.Argument(metavar="SCAN", help="OBJ, PLY, STL, OFF, GLB, glTF, VTP, npz, or these gzipped.")
]
Units = Annotated[str, typer.Option(help='"mm", "cm" or "m"; "auto" infers them from the size of the head.')]
Landmarks = Annotated[
    Path | None, typer.Option(help="Landmarks placed by hand; they win over those found automatically.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results; made when it is not there.")]
ExamPath = Annotated[Path, typer.Argument(metavar="EXAM", help="Folder of an examination, or its exam.json.")]
StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of examinations, sub-*/ses-*/face/ or any.")]
RequiredOut = Annotated[Path, typer.Option("--out", help="Folder for the results; made when it is not there.")]
Side = Annotated[str | None, typer.Option(help='Affected side: "left", "right" or "none"; else found by measuring.')]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(face3d.__version__)
        raise typer.Exit


@app.callback()
def _face3d(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """3D analysis of faces with facial paralysis. For research use only; not a medical device."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("face3d-demo"), json: Json = False
) -> int:
    """The whole job on the embedded exam."""
    from face3d.demo import demo_scan

    return _analyze(demo_scan, out, json)


@app.command()
def analyze(
    scan: ScanFile, out: Out = None, units: Units = "auto", landmarks: Landmarks = None, json: Json = False
) -> int:
    """Measure one face scan: where it differs from its mirror image, and by how much.

    Without --out nothing is written, only the summary is printed.
    """
    from face3d.io import read_scan

    return _analyze(lambda: read_scan(scan, units, landmarks), out, json)


@app.command()
def info(scan: ScanFile, units: Units = "auto", landmarks: Landmarks = None, json: Json = False) -> int:
    """Say what is in a scan file, without measuring anything."""
    from face3d import info as facts
    from face3d.io import read_scan

    found = facts.info(read_scan(scan, units, landmarks, texture=True))
    print(found.to_json() if json else found.to_text())
    return 0


@app.command()
def exam(exam: ExamPath, out: Out = None, side: Side = None, json: Json = False) -> int:
    """Measure a whole examination: movements, closure, synkinesis, the scales that they suggest, and its grade.

    Without --out nothing is written, only the summary is printed.
    """
    from face3d.io.exam import read_exam
    from face3d.progress import steps

    read = read_exam(exam)
    with steps(len(read.expressions) + 2) as step:
        from face3d.exam_outputs import REPORT, write_exam
        from face3d.exam_result import exam_result
        from face3d.examine import fit_exam, measure_fitted
        from face3d.grading import grade_measured

        fitted = fit_exam(read, step)
        step("measuring")
        measures = measure_fitted(read, fitted, side)
        step("grading")
        graded = grade_measured(read, fitted, measures)
        if out is None:
            result = exam_result(measures, read.grades, grade=graded)
        else:
            from face3d.report.movement_pictures import movement_pictures

            drawn = lambda: movement_pictures(fitted.rest, measures.movements, fitted.template)  # noqa: E731
            result = write_exam(measures, out, read.grades, drawn, graded)
    print(result.to_json() if json else result.to_text())
    if out is not None and not json:
        print(f"report: {out / REPORT}")
    return 0


@app.command()
def grade(
    exam: ExamPath,
    why: Annotated[
        bool, typer.Option("--why", help="Say which places and movements the severity comes from as well.")
    ] = False,
    json: Json = False,
) -> int:
    """Grade a whole examination by the networks: severity, side, and how sure they are."""
    from face3d.io.exam import read_exam
    from face3d.progress import steps

    with steps(2) as step:
        step("reading and fitting")
        from face3d.explanation import explain
        from face3d.grading import grade as graded

        read = read_exam(exam)
        found = graded(read)
        step("explaining" if why else "done")
        reasons = explain(read, found) if why else None
    if json:
        _print_json(found.to_dict() | ({} if reasons is None else {"why": reasons.to_dict()}))
    else:
        print(found.to_text() if reasons is None else f"{found.to_text()}\n{reasons.to_text()}")
    return 0


@app.command()
def validate(exam: ExamPath, json: Json = False) -> int:
    """Check an examination, or every one in a study: the manifest, and that each scan can be read."""
    from face3d.validate import as_json, as_text, validate

    findings = validate(exam)
    print(as_json(findings) if json else as_text(findings))
    faults = [f for f in findings if f.fault]
    return _refuse(f"{len(faults)} faults; first: {faults[0].text}") if faults else 0


@app.command()
def compare(
    before: ExamPath, after: ExamPath, out: Out = None, side: Side = None, json: Json = False
) -> int:  # fmt: skip
    """Compare two visits of one person: what changed by more than measuring alone can explain.

    Each is an examination, or a result of `face3d exam`. Ratios refer to the side affected at the first visit.
    """
    from face3d.comparison import compare as changes
    from face3d.exam_outputs import write_comparison
    from face3d.exam_result import compare_result
    from face3d.examine import measured
    from face3d.progress import steps

    with steps(2) as step:
        step("before")
        first = measured(before, side)
        step("after")
        comparison = changes(first, measured(after, first.affected_side))
    result = compare_result(comparison) if out is None else write_comparison(comparison, out)
    print(result.to_json() if json else result.to_text())
    return 0


@app.command()
def study(folder: StudyPath, out: RequiredOut, json: Json = False) -> int:
    """Measure every examination below a folder: one tidy table, CSV and Parquet, one row a subject, visit and
    measure.
    """
    from face3d.io.exam import find_exams
    from face3d.progress import steps
    from face3d.study import study_table, write_table

    with steps(len(list(find_exams(folder)))) as step:
        table = study_table(folder, done=lambda number, of, name: step(f"{name} ({number}/{of})"))
    csv, parquet = write_table(table, out)
    failed = table[table["measure"] == "exam"]
    exams = len(table[["subject", "visit"]].drop_duplicates())
    columns = ("subject", "visit", "status")
    reasons = [dict(zip(columns, row, strict=True)) for row in zip(*(failed[c] for c in columns), strict=True)]
    if json:
        _print_json({"exams": exams, "failed": reasons, "csv": str(csv), "parquet": str(parquet)})
    else:
        print(f"{exams - len(failed)} of {exams} exams measured: {csv}, {parquet}")
        print("".join(f"  {r['subject']} {r['visit']}: {r['status']}\n" for r in reasons), end="")
    return 4 if len(failed) else 0


@app.command()
def norms(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="measures.csv or .parquet of `face3d study`, of healthy people.")
    ],
    out: Annotated[Path, typer.Option(help="File for the norms, JSON.")],
    population: Annotated[str, typer.Option(help='Who was measured, e.g. "healthy adults, Lyon".')],
    source: Annotated[str, typer.Option(help="Where the study is described.")],
    device: Annotated[str | None, typer.Option(help="The scanner.")] = None,
    json: Json = False,
) -> int:
    """Make reference values of your own from a study of healthy people."""
    from face3d.norms import norms_from, write_norms
    from face3d.study import read_table

    found = norms_from(read_table(table), population, source, device=device)
    write_norms(out, found)
    if json:
        _print_json({"norms": len(found), "file": str(out)})
    else:
        print(f"{len(found)} norms: {out}")
    return 0


@app.command()
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
    frozen: Annotated[
        str | None,
        typer.Option(help="A frozen benchmark by name, e.g. face3d-bench-v1; other options then don't count."),
    ] = None,
    json: Json = False,
) -> int:
    """Write simulated examinations of facial palsy whose truth is known. A stopped run goes on where it was."""
    from face3d.progress import steps
    from face3d.simulate.benchmark import CARD, Definition, table_checksum, write_benchmark

    if frozen is not None:
        wanted = Definition.frozen(frozen)
    else:
        wanted = Definition("simulated", seed, subjects, scanner, points, movement, color, sequences)
    with steps(wanted.subjects) as step:
        folders = write_benchmark(out, wanted, step)
    if json:
        _print_json({"out": str(out), "exams": [f.name for f in folders], "truth_sha256": table_checksum(wanted)})
    else:
        print(f"{len(folders)} examinations in {out}; what they are: {out / CARD}")
    return 0


@app.command()
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
    from face3d.extras import require
    from face3d.progress import steps

    require("torch").set_num_threads(1)  # more threads than free cores make small networks many times slower
    from face3d.learn.dataset import ExampleSet, example_files
    from face3d.learn.networks import network_class
    from face3d.learn.training import LOG, TrainConfig, architecture_of
    from face3d.learn.training import train as learn
    from face3d.learn.weights import read_card

    wanted = TrainConfig.read(config)
    with steps(wanted.epochs) as step:
        files = [f for folder in wanted.data for f in example_files(Path(folder), out / "examples", step)]
        points = "points" in network_class(architecture_of(wanted)).uses
        grader = learn(wanted, ExampleSet(files, points), out, step)
    held_out = read_card(grader)["held_out"]
    if json:
        _print_json({"grader": str(grader), "log": str(out / LOG), "held_out": held_out})
    else:
        print(f"{grader}; {held_out['exams']} exams held out: " + _figures(held_out) + f"; log: {out / LOG}")
    return 0


def _figures(held_out: dict[str, float]) -> str:
    return f"grade off by {held_out['grade_mae']:.2f}, severity by {held_out['severity_mae']:.3f} on average"


@app.command()
def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help='"shipped", "rules", or weights that `face3d train` wrote.')
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of exams with grades, a benchmark, or examples.")
    ],
    out: Out = None,
    seed: Annotated[int, typer.Option(help="Of the draws behind the intervals.")] = 0,
    json: Json = False,
) -> int:
    """Say how well a model grades: agreement, error, side, calibration, by grade and group, with intervals.

    Exams are fitted once and kept in --out. Of a benchmark only the subjects that it keeps for testing count.
    """
    import tempfile

    from face3d.exam_outputs import EVALUATION, REPORT, write_evaluation
    from face3d.extras import require
    from face3d.progress import steps

    require("torch")
    from face3d.learn.dataset import example_files
    from face3d.learn.evaluation import evaluate_examples

    with steps(2) as step, tempfile.TemporaryDirectory() as scratch:
        files = example_files(data, Path(scratch) if out is None else out / "examples", step, tests=True)
        step("evaluating")
        evaluation, predicted, truth = evaluate_examples(model, files, seed)
    print(evaluation.to_json() if json else evaluation.to_text())
    if out is not None:
        write_evaluation(evaluation, predicted, truth, model, data.name, out)
        if not json:
            print(f"report: {out / REPORT}; numbers: {out / EVALUATION}")
    return 0


@app.command()
def doctor(json: Json = False) -> int:
    """Say what this machine lacks, and the line that mends it."""
    from face3d import doctor as ward

    checks = ward.examine()
    print(ward.as_json(checks) if json else ward.as_text(checks))
    lacking = [check.name for check in checks if check.state == "missing"]
    return _refuse(f"this machine lacks: {', '.join(lacking)}; the lines above mend it") if lacking else 0


def _analyze(read: Callable[[], FaceScan], out: Path | None, json: bool) -> int:
    from face3d.progress import steps

    with steps(4) as step:
        step("reading")
        scan = read()
        step("measuring")
        from face3d.analysis import analyze as measure
        from face3d.outputs import REPORT, write_outputs
        from face3d.result import result_of

        analysis = measure(scan)
        result = result_of(analysis) if out is None else write_outputs(analysis, out, step)
    print(result.to_json() if json else result.to_text())
    if out is not None and not json:
        print(f"report: {out / REPORT}")
    return 0


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code. Whatever is not the user's to mend leaves as an exception."""
    try:
        return app(list(arguments), prog_name="face3d", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _refuse(f"{error.format_message()} See: face3d --help")
    except Face3DError as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if extra_of(module) is None:
            raise
        return _refuse(str(missing(module)))
    except (ImportError, OSError) as error:  # a package whose system library is not there
        if "cannot open shared object file" not in str(error):
            raise
        return _refuse(f"{error}; `face3d doctor` gives the line that installs it")


def _print_json(value: Mapping[str, object]) -> None:
    import json

    print(json.dumps(value, indent=2))


def _refuse(message: str) -> int:
    print("face3d:", " ".join(message.split()), file=sys.stderr)
    return 2


def main() -> None:
    """Entry point of the `face3d` command."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
