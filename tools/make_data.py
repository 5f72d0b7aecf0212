"""Makes src/face3d/data anew, in order: tools/data_steps.py says by which steps.

    python tools/make_data.py [--hours 2]               or `make data`; called again, it goes on where it was
    python tools/make_data.py --dry-run                 what there is to do, why, and how long it takes
    python tools/make_data.py --check                   which embedded file is older than what it was made from

A step is skipped when it is done and nothing has changed of what it reads: data, tools, its rooms of face3d, and what
the steps before it read (`made_from.py`). If something has, it begins anew: its part of the work folder is deleted. A
step that was stopped in between goes on. What ships gets a record of what it was made from. Tools run with one thread
and one seed of hashes, so that two runs give the same bytes.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import made_from
from data_steps import PART, STEPS, Step

ROOT = Path(__file__).parents[1]
#: Exit code of a run that stopped because its time was up; there is more to do.
MORE = 3
#: Seconds between two looks at what is running, and between two lines about it.
LOOK, TELL = 0.2, 60.0
#: Between a tool and this program: ends the tool with all that it started when this program is no more, killed or not.
GUARD = """
import os, signal, subprocess, sys, threading

def orphaned():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=orphaned, daemon=True).start()
os._exit(int(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL) != 0))
"""


class StoppedError(Exception):
    """The time is up, or a step failed; says which, and the exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Maker:
    """`steps` of the checkout at `root`, in the folder `work`; what was done stands in its state.json: step ->
    made_from, done, outputs, seconds so far, and `took` seconds when it was last done."""

    def __init__(self, steps: Sequence[Step], root: Path, work: Path, workers: int = 1) -> None:
        self.steps, self.root, self.work, self.workers = steps, root, work, workers
        self.data = root / "src/face3d/data"
        self.asked = steps  # what is being made now
        file = work / "state.json"
        self.state: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else {}

    def record(self, step: Step, as_made: bool = True) -> dict[str, str]:
        """What a step reads now, by name; of steps whose work it reads, what they were made from (`as_made`) or would
        be made from now."""
        found = {f"command of {step.name}": "; ".join(" ".join(command) for command in step.commands)}
        for tool in step.tools:
            for file in made_from.with_helpers(self.root / "tools" / tool):
                found[f"tools/{file.name}"] = made_from.of_code(file)
        for room in step.rooms:
            found[f"src/face3d/{room}"] = made_from.of_code(self.root / "src/face3d" / room)
        for name in step.reads:
            if not name.startswith("work/"):
                found[name] = made_from.of_file(self.place(name))
        for before in self.makers_of_work(step):
            known = self.state.get(before.name, {}).get("made_from") if as_made else None
            # What the work was made from counts, though the data may be others by now.
            found |= known or self.record(before, as_made)
        return found

    def makers_of_work(self, step: Step) -> list[Step]:
        wanted = {name for name in step.reads if name.startswith("work/")}
        return [other for other in self.steps if other is not step and wanted & set(other.writes)]

    def place(self, name: str) -> Path:
        if name.startswith("work/"):
            return self.work / name.removeprefix("work/")
        if name.startswith("shared/"):
            return self.root.parent / name
        return self.root / name if "/" in name else self.data / name

    def outputs(self, step: Step) -> dict[str, str]:
        """Hashes of what a step embedded, records included; of its work, whether it is there."""
        found = {}
        for name in step.writes:
            place = self.place(name)
            if name in step.embeds:
                found |= {file.name: made_from.of_file(file) for file in (place, made_from.provenance(place))}
            else:
                found[name] = "there" if place.exists() else made_from.ABSENT
        return found

    def to_do(self, step: Step) -> str | None:
        """Why there is something to do for a step; None where there is not."""
        known = self.state.get(step.name)
        if known is None:
            return "never made here"
        if changed := made_from.changed(known["made_from"], self.record(step)):
            return "changed: " + ", ".join(changed)
        if not known["done"]:
            return "goes on" if step.resumes else "was stopped"
        outputs = self.outputs(step)
        if made_from.ABSENT in outputs.values() or made_from.changed(known["outputs"], outputs):
            return "written over: " + ", ".join(made_from.changed(known["outputs"], outputs))
        return None

    def hours(self, step: Step) -> float:
        """What a step takes: as long as the last time here, else what the table says."""
        took = self.state.get(step.name, {}).get("took")
        return step.hours if took is None else took / 3600

    def left(self, step: Step) -> float:
        """Hours that are still to go of a step."""
        spent = self.state.get(step.name, {}).get("seconds", 0.0) / 3600
        return max(self.hours(step) - (spent if step.resumes else 0.0), 0.0)

    def make(self, steps: Sequence[Step], until: float | None = None) -> None:
        """Does what there is to do of `steps`; raises `StoppedError` when a step fails, or at the time `until`."""
        worked, self.asked = False, steps
        for step in steps:
            why = self.to_do(step)
            if why is None:
                self.say(step, "done")
                continue
            for before in self.makers_of_work(step):
                if not self.state.get(before.name, {}).get("done"):
                    raise StoppedError(f"{step.name} needs what {before.name} makes; run that before")
            # What cannot be stopped in between does not begin where it would not end in time.
            if until is not None and (
                time.time() >= until or (worked and not step.resumes and time.time() + 3600 * self.hours(step) > until)
            ):
                raise StoppedError(f"time is up before {step.name}; the same command goes on", MORE)
            self.say(step, f"{why}; about {self.left(step):.2f} h")
            self.run(step, until)
            worked = True

    def run(self, step: Step, until: float | None) -> None:
        """One step, from where it stands."""
        now, known = self.record(step), self.state.get(step.name, {})
        if known.get("made_from") != now or known.get("done") or not step.resumes:
            for name in step.writes:
                if name.startswith("work/"):
                    _delete(self.place(name))
            self.state[step.name] = {"made_from": now, "done": False, "seconds": 0.0, "took": known.get("took")}
            self.save()
        for command in step.commands:
            self.execute(step, command, until)
        if changed := made_from.changed(now, self.record(step)):
            raise StoppedError(f"{step.name}: {', '.join(changed)} changed while it ran; it will begin anew")
        for name in step.embeds:
            made_from.stamp(self.place(name), now)
        outputs = self.outputs(step)
        if missing := [name for name, value in outputs.items() if value == made_from.ABSENT]:
            raise StoppedError(f"{step.name} has not written {', '.join(missing)}; see {self.log(step)}")
        mine = self.state[step.name]
        mine |= {"done": True, "outputs": outputs, "took": mine["seconds"]}
        self.save()
        self.say(step, f"made in {mine['seconds'] / 3600:.2f} h")

    def execute(self, step: Step, command: Sequence[str], until: float | None) -> None:
        """One command, as several processes where it can be parted, to its end or to `until`."""
        parts = [f"{k}/{self.workers}" for k in range(self.workers)] if PART in command else ["0/1"]
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join(filter(None, (str(self.root / "src"), os.environ.get("PYTHONPATH"))))
        environment = os.environ | one | {"PYTHONHASHSEED": "0", "PYTHONPATH": path}
        self.log(step).parent.mkdir(parents=True, exist_ok=True)
        before, begun, told = self.grown(step), time.time(), time.time()
        mine, spent = self.state[step.name], self.state[step.name]["seconds"]
        with self.log(step).open("ab") as log:
            running = []
            try:
                for part in parts:
                    words = [w.format(work=self.work, data=self.data, part=part) for w in command[1:]]
                    tool = [sys.executable, str(self.root / "tools" / command[0]), *words]
                    running.append(
                        subprocess.Popen(
                            [sys.executable, "-c", GUARD, *tool],
                            stdin=subprocess.PIPE,
                            stdout=log,
                            stderr=subprocess.STDOUT,
                            start_new_session=True,
                            cwd=self.root,
                            env=environment,
                        )
                    )
                while any(process.poll() is None for process in running):
                    time.sleep(LOOK)
                    mine["seconds"] = spent + time.time() - begun
                    if step.resumes and until is not None and time.time() >= until:
                        raise StoppedError(f"time is up in {step.name}; the same command goes on", MORE)
                    if any(process.poll() for process in running):
                        break
                    if time.time() - told >= TELL:
                        told = time.time()
                        self.save()
                        self.say(step, self.progress(step, before, begun))
            finally:
                for process in running:
                    _end(process)
                self.save()
        if any(process.returncode for process in running):
            last = self.log(step).read_text("utf-8", "replace").splitlines()[-15:]
            raise StoppedError("\n".join([*last, f"{step.name}: {command[0]} failed; all is in {self.log(step)}"]))

    def progress(self, step: Step, before: int, begun: float) -> str:
        """How far a running step is, and when all is done."""
        now, left = self.grown(step), self.left(step)
        text = f"{self.state[step.name]['seconds'] / 3600:.2f} h"
        if step.of:
            text = f"{now} of {step.of} files, {text}"
            if now > before:
                left = (time.time() - begun) / 3600 * max(step.of - now, 0) / (now - before)
        later = self.asked[self.asked.index(step) + 1 :]
        in_all = left + sum(self.left(other) for other in later if self.to_do(other) is not None)
        ends = time.strftime("%a %H:%M", time.localtime(time.time() + 3600 * in_all))
        return f"{text}; {left:.2f} h to go, all {in_all:.1f} h (about {ends})"

    def grown(self, step: Step) -> int:
        """Files that a step has so far."""
        folders = [self.place(name) for name in step.grows]
        return sum(f.suffix in (".npz", ".pkl") for folder in folders if folder.exists() for f in folder.iterdir())

    def log(self, step: Step) -> Path:
        return self.work / "logs" / f"{step.name}.log"

    def say(self, step: Step, text: str) -> None:
        print(f"[{self.steps.index(step) + 1:>2}/{len(self.steps)}] {step.name}: {text}", flush=True)

    def save(self) -> None:
        half = self.work / "state.half"
        half.write_text(json.dumps(self.state, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        half.replace(self.work / "state.json")

    def plan(self, steps: Sequence[Step]) -> str:
        """What there is to do, as a table."""
        lines, total, made = [], 0.0, set()
        for step in steps:
            why = self.to_do(step)
            if after := sorted(made & set(step.reads)):
                why = why or f"after {', '.join(after)}, if that changes"
            if why is not None:
                made |= set(step.writes)
                total += self.left(step)
            hours = f"{self.left(step):.2f} h" if why else "-"
            lines.append(f"{step.name:<20}{hours:>8}  {why or 'done'}")
            lines.append(f"{'':<30}{', '.join(step.reads) or 'nothing'} -> {', '.join(step.writes) or 'a check'}")
        return "\n".join([*lines, f"{'all':<20}{total:>6.2f} h"])

    def stale(self) -> tuple[list[str], list[str]]:
        """Embedded files that are older than what they were made from, and those that may be, each with the reason."""
        sure, perhaps = [], []
        for step in self.steps:
            now = self.record(step, as_made=False) if step.embeds else {}
            for name in step.embeds:
                file = self.place(name)
                then = made_from.read(file)
                if then is None:
                    perhaps.append(f"{name}: unknown what it was made from")
                    continue
                names = made_from.changed(then, now)
                # A file outside the repository that is not there cannot be compared.
                told = [n for n in names if made_from.ABSENT not in (then.get(n), now.get(n))]
                if firm := [n for n in told if not made_from.is_room(n)]:
                    sure.append(f"{name}: older than {', '.join(firm)}")
                elif told:
                    perhaps.append(f"{name}: made by earlier code of {', '.join(told)}")
                if not made_from.is_whole(file):
                    sure.append(f"{name}: is another file than {made_from.provenance(file).name} says")
        return sure, perhaps


def _delete(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a tool with all that it started; one that has ended by itself is left alone."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


@contextmanager
def _alone(work: Path):
    """Holds the work folder; raises `StoppedError` where another run has it."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoppedError(f"{work}: another run is at work here; wait for it, or give another --work") from None
        yield


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None, steps: Sequence[Step] = STEPS, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    names = [step.name for step in steps]
    parser.add_argument("--work", type=Path, default=root / "data-work", help="kept from call to call")
    parser.add_argument("--hours", type=float, help=f"stop then, with exit code {MORE}; what is done is kept")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of steps that can be parted")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--from", dest="first", choices=names, metavar="STEP", help="steps before are taken as they are")
    which.add_argument("--only", choices=names, metavar="STEP")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="say what there is to do")
    what.add_argument("--check", action="store_true", help="say which embedded files are stale; exit code 1 if any is")
    a = parser.parse_args(argv)
    maker = Maker(steps, root, a.work.resolve(), a.workers)
    chosen = [steps[names.index(a.only)]] if a.only else steps[names.index(a.first) if a.first else 0 :]
    if a.check:
        sure, perhaps = maker.stale()
        print("\n".join([*(f"stale: {line}" for line in sure), *(f"warning: {line}" for line in perhaps)]))
        return int(bool(sure))
    if a.dry_run:
        print(maker.plan(chosen))
        return 0
    try:
        with _alone(maker.work):
            maker.make(chosen, None if a.hours is None else time.time() + 3600 * a.hours)
    except StoppedError as stopped:
        print(stopped, file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
