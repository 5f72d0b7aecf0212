"""Commands on whole studies: thousands of exams and scans, here or on a cluster."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from face3d.cli.common import Json, check_writable, print_json
from face3d.errors import SchemaError

if TYPE_CHECKING:
    from face3d.batch.discover import Found

#: Seconds that an item may take. Of two scans an exam took 8 CPU seconds, but 336 s by the clock where 24 processes
#: shared two cores: a limit is there for what hangs, not for what is slow.
TIMEOUT = 1800.0
#: GB of address space that an item may take: three times what such an exam reserved (4.3; in use were 1.0) with
#: Open3D, torch and MediaPipe loaded.
MEMORY = 12.0
#: Of what an item may reserve it uses a third at most (measured: a quarter); jobs of a cluster ask for that much.
IN_USE = 1 / 3

Workers = Annotated[int, typer.Option(min=0, help="Items at a time; 0: as many as there are cores.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds that an item may take.")]
Memory = Annotated[
    float, typer.Option(min=0.1, help="GB that an item's process may reserve, which is some four times what it uses.")
]
Report = Annotated[
    bool, typer.Option("--report", help="Pages and pictures of each item too, as `exam --out` has them.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be measured, and why.")]


def batch(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY",
            help='Folder, manifest (CSV, Parquet), pattern in quotes ("scans/*.ply") or URL (s3://...).',
        ),
    ],
    out: Annotated[str | None, typer.Option(help="Folder for the results, or a URL (s3://...).")] = None,
    workers: Workers = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on: what has a result of the same files and settings is left as it is.")
    ] = False,
    dry_run: DryRun = False,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Only the i-th of n parts, from 1 on.")] = None,
    report: Report = False,
    timeout: Timeout = TIMEOUT,
    memory: Memory = MEMORY,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, whose workers measure.")] = None,
    cluster: Annotated[
        Literal["slurm"] | None, typer.Option(help="Have --workers jobs started by dask-jobqueue, as it is configured.")
    ] = None,
    sbatch: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only print a script for SLURM: an array of N jobs, no Dask.")
    ] = None,
    json: Json = False,
) -> int:
    """Measure every examination, and every scan that belongs to none, each in a process of its own.

    An item that crashes, hangs or eats memory costs itself. OUT gets a folder an item with result.json, and the study's
    tables, CSV and Parquet: measures and exams, regions and scans, failures with their reasons. Exit code 4 when some
    items failed. `face3d study OUT` compares visits and groups.

    A manifest has a column path, below its own folder, and may have subject, visit, units and landmarks.
    """
    from face3d.batch.cluster import sbatch as script
    from face3d.batch.discover import discover
    from face3d.batch.study import Shard, planned

    if out is None:
        raise SchemaError("--out is missing: give a folder, or a URL, for the results")
    if scheduler is not None and cluster is not None:
        raise SchemaError("--scheduler and --cluster are two ways to say where to measure; give one of them")
    if "://" not in out:
        check_writable(Path(out))
    part = None if shard is None else Shard.named(shard)
    if sbatch is not None:
        command = ["face3d", "batch", study, "--out", out, "--timeout", f"{timeout:g}", "--memory", f"{memory:g}"]
        print(script([*command, *(["--report"] if report else [])], sbatch, 24.0, memory * IN_USE), end="")
        return 0
    found = discover(study)
    if dry_run:
        return _foretold(planned(found, out, report, part), found, json)
    where = _where(workers, timeout, memory, scheduler, cluster)
    return _run(found, out, where, json, report=report, resume=resume, shard=part)


def bids(
    bids_dir: Annotated[Path, typer.Argument(metavar="BIDS_DIR", help="Folder with sub-*/ses-*/face/.")],
    output_dir: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the results.")],
    analysis_level: Annotated[
        Literal["participant", "group"],
        typer.Argument(metavar="LEVEL", help="participant: measure; group: the tables of all that was measured."),
    ],
    context: typer.Context,
    participant_label: Annotated[
        list[str] | None,
        typer.Option("--participant-label", "--participant_label", help="Only these subjects: 01 02, or sub-01."),
    ] = None,
    session_label: Annotated[
        list[str] | None, typer.Option("--session-label", "--session_label", help="Only these sessions.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--n-cpus", "--n_cpus", "--workers", min=0, help="Items at a time; 0: as many as cores.")
    ] = 0,
    timeout: Timeout = TIMEOUT,
    memory: Memory = MEMORY,
    report: Report = False,
    json: Json = False,
) -> int:
    """The same as `batch`, called as a BIDS App is. BIDS has no modality for faces: the layout is like it, no more.

    participant goes on where an earlier call was; several calls for different subjects may run at a time.
    """
    from face3d.batch.bids import chosen, describe
    from face3d.batch.discover import discover
    from face3d.batch.study import gathered

    check_writable(output_dir)
    # BIDS Apps take several labels behind one option; the parser hands all but the first over as they are.
    if context.args and bool(participant_label) == bool(session_label):
        raise SchemaError(f"{' '.join(context.args)}: which labels are these? Give each its own option")
    labels = participant_label if participant_label else session_label
    labels = [*(labels or []), *context.args]
    found = discover(str(bids_dir))
    if analysis_level == "group":
        return _said(gathered(found, str(output_dir)), str(output_dir), json)
    people, visits = (labels, session_label or []) if participant_label else ([], labels)
    mine, claim = chosen(found, people, visits, bids_dir)
    describe(output_dir)
    where = _where(workers, timeout, memory, None, None)
    return _run(mine, str(output_dir), where, json, report=report, resume=True, claim=claim)


def _where(workers: int, timeout: float, memory: float, scheduler: str | None, cluster: str | None) -> Any:
    """A context in which tasks are run: here, on a scheduler's workers, or on SLURM's."""
    from face3d.batch.cluster import run_on, slurm
    from face3d.batch.lane import Limits
    from face3d.batch.local import cores, run_here
    from face3d.batch.measured import work

    limits, count = Limits(timeout, memory), workers or cores()
    if cluster is not None:
        from contextlib import contextmanager

        @contextmanager
        def started() -> Any:
            with slurm(count, memory * IN_USE) as address:
                yield lambda tasks: run_on(tasks, address, limits, work)

        return started()
    if scheduler is not None:
        return nullcontext(lambda tasks: run_on(tasks, scheduler, limits, work))
    return nullcontext(lambda tasks: run_here(tasks, count, limits, work))


def _run(found: Found, out: str, where: Any, json: bool, **more: Any) -> int:
    from face3d.batch.study import run_study
    from face3d.cli.progress import tally

    with where as running, tally() as heard:
        done = run_study(found, out, running, heard=heard, **more)
    return _said(done, out, json)


def _said(done: dict[str, Any], out: str, json: bool) -> int:
    failed = done["failed"]
    if json:
        print_json(done | {"out": out})
    else:
        tables = ", ".join(f"{out}/{name}" for name in done["tables"] if name.endswith(".csv"))
        print(
            f"{done['ok']} of {done['items']} measured" + (f": {tables}" if tables else "; tables follow the last part")
        )
        for row in failed[:20]:
            print(f"  {row['item']}: {row['status']}: {row['reason']}")
        if len(failed) > 20:
            print(f"  and {len(failed) - 20} more: {out}/failures.csv")
    return 4 if failed else 0


def _foretold(ahead: Any, found: Found, json: bool) -> int:
    from collections import Counter

    from face3d.batch.sources import shown

    kinds, why = Counter(i.kind for i in ahead.todo), Counter(ahead.why.values())
    if json:
        items = [{"item": shown(i.name), "kind": i.kind, "why": ahead.why[i.folder]} for i in ahead.todo]
        print_json({"todo": items, "finished": ahead.done, "unread": dict(found.unread)})
        return 0
    print(f"to measure: {kinds['exam']} exams, {kinds['scan']} scans; finished already: {ahead.done}")
    print("".join(f"  {why[reason]} {reason}\n" for reason in sorted(why)), end="")
    for item in ahead.todo[:20]:
        print(f"  {item.kind} {shown(item.name)}: {ahead.why[item.folder]}")
    if len(ahead.todo) > 20:
        print(f"  and {len(ahead.todo) - 20} more")
    for place, reason in found.unread.items():
        print(f"  cannot be looked into: {shown(place)}: {reason}", file=sys.stderr)
    return 0
