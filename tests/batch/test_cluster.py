"""The same items on a Dask cluster of this machine's processes, on SLURM by its script, and in a store."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from batch_items import RUN, study_of, tables_of, work

from face3d.batch.cluster import run_on, sbatch
from face3d.batch.discover import discover
from face3d.batch.item import Task
from face3d.batch.lane import Limits
from face3d.batch.local import run_here
from face3d.batch.study import Shard, planned, run_study
from face3d.errors import OutputError

distributed = pytest.importorskip("distributed")


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """A scheduler and workers in processes of their own, each with a nanny that starts it again."""
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    ) as made:
        yield made


def in_this_process(tasks: list[Task]):
    return map(work, tasks)


@pytest.mark.slow
def test_dask_with_workers_killed_makes_the_same_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW_ITEMS", "1")
    contents = ["slow 0.2"] * 30 + ["segfault", "refuse", "hang"]
    study = study_of(tmp_path / "study", *contents)
    limits = Limits(seconds=5.0)
    run_study(discover(str(study)), str(tmp_path / "whole"), partial(run_here, workers=2, limits=limits, work=work))
    with cluster(3) as made:
        running = partial(run_on, scheduler=made.scheduler_address, limits=limits, work=work)
        killed: list[int] = []

        def kill(plan: object, outcome: object) -> None:
            """Two workers die while they are at work."""
            if outcome is not None and len(killed) < 2:
                pids = [nanny.pid for nanny in made.workers.values() if nanny.pid is not None]  # None: it starts again
                victim = next((pid for pid in pids if pid and pid not in killed), None)
                if victim is not None:
                    killed.append(victim)
                    os.kill(victim, signal.SIGKILL)

        run_study(discover(str(study)), str(tmp_path / "out"), running, heard=kill)
    assert len(killed) == 2
    assert tables_of(tmp_path / "out") == tables_of(tmp_path / "whole")
    failed = {row.split(",")[0] for row in (tmp_path / "out" / "failures.csv").read_text().splitlines()[1:]}
    assert failed == {"s030.ply", "s031.ply", "s032.ply"}


@pytest.mark.slow
def test_a_lost_scheduler_is_said_and_another_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW_ITEMS", "1")
    study, out = study_of(tmp_path / "study", *["slow 0.3"] * 30), str(tmp_path / "out")
    how: dict[str, Any] = {"limits": Limits(), "work": work}
    seen: list[object] = []
    with cluster(1) as made:
        running = partial(run_on, scheduler=made.scheduler_address, **how)

        def close(plan: object, outcome: object) -> None:
            seen.append(outcome)
            if len(seen) == 4:  # the plan, and three items
                made.close(timeout=5)

        began = time.monotonic()
        with pytest.raises(OutputError, match=r"the scheduler is lost .*--resume"):
            run_study(discover(str(study)), out, running, heard=close)
        assert time.monotonic() - began < 120
    done = planned(discover(str(study)), out).done
    assert 3 <= done < 30
    with cluster(2) as again:
        run_study(discover(str(study)), out, partial(run_on, scheduler=again.scheduler_address, **how), resume=True)
    run_study(discover(str(study)), str(tmp_path / "whole"), in_this_process)
    assert tables_of(tmp_path / "out") == tables_of(tmp_path / "whole")


@pytest.mark.slow
def test_one_study_on_every_way_is_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes here, Dask with two workers killed, four shards, and a run that was killed: exams and scans of a
    manifest with groups, some of which fail."""
    monkeypatch.setenv("SLOW_ITEMS", "1")
    study = study_of(tmp_path / "study", *["slow 0.1"] * 24, "segfault", "refuse")
    rows = [f"s{k:03d}.ply,,arm{k % 2}" for k in range(26)]
    for k in range(6):
        (study / f"p{k}" / "pre").mkdir(parents=True)
        (study / f"p{k}" / "pre" / "rest.ply").write_text(f"ok {k}" if k != 3 else "refuse")
        rows.append(f"p{k}/pre,pre,arm{k % 2}")
    manifest = study / "m.csv"
    manifest.write_text("\n".join(["path,visit,arm", *rows]) + "\n")
    limits, found = Limits(seconds=20.0), discover(str(manifest))
    here = partial(run_here, workers=2, limits=limits, work=work)
    done = run_study(found, str(tmp_path / "whole"), here)
    assert (done["items"], done["ok"]) == (32, 29)
    whole = tables_of(tmp_path / "whole")
    for number in (4, 2, 1, 3):
        run_study(found, str(tmp_path / "shards"), here, shard=Shard(number, 4))
    assert tables_of(tmp_path / "shards") == whole
    code = tmp_path / "run.py"
    code.write_text(RUN.format(path=sys.path, study=str(manifest), out=str(tmp_path / "killed")))
    child = subprocess.Popen([sys.executable, str(code)], stdout=subprocess.PIPE, start_new_session=True)
    while not list((tmp_path / "killed").glob("*/item.json")) and child.poll() is None:
        time.sleep(0.05)
    child.kill()
    child.communicate()
    assert not tables_of(tmp_path / "killed")  # it was at work
    run_study(found, str(tmp_path / "killed"), here, resume=True)
    assert tables_of(tmp_path / "killed") == whole
    killed: list[int] = []
    with cluster(3) as made:

        def kill(plan: object, outcome: object) -> None:
            if outcome is not None and len(killed) < 2:
                pids = [nanny.pid for nanny in made.workers.values() if nanny.pid is not None]  # None: it starts again
                killed.append(next(pid for pid in pids if pid not in killed))
                os.kill(killed[-1], signal.SIGKILL)

        running = partial(run_on, scheduler=made.scheduler_address, limits=limits, work=work)
        run_study(found, str(tmp_path / "dask"), running, heard=kill)
    assert len(killed) == 2 and tables_of(tmp_path / "dask") == whole
    scans = (tmp_path / "dask" / "scans.csv").read_text().splitlines()
    assert len(scans) == len(set(scans)) == 25  # once each, and the header


@pytest.mark.slow
def test_the_example_for_snakemake_runs(tmp_path: Path) -> None:
    snakemake = shutil.which("snakemake")
    if snakemake is None:
        pytest.skip("snakemake is not installed")
    docs = (Path(__file__).parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(N = 200\n.*?)```", docs, re.DOTALL)
    assert example is not None
    (tmp_path / "Snakefile").write_text(example.group(1).replace("N = 200", "N = 2"))
    study_of(tmp_path / "study", "none", "of these", "is a scan")
    command = tmp_path / "face3d"
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path[:0] = {sys.path!r}\n"
        "from face3d.cli import main\nif __name__ == '__main__':\n    main()\n"
    )
    command.chmod(0o700)
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([snakemake, "-j", "1"], cwd=tmp_path, env=env, check=True, capture_output=True)
    assert (tmp_path / "results" / "failures.csv").read_text().count("refused") == 3


def test_a_scheduler_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(tmp_path / "study", "ok 1")

    def refused(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:9")

    monkeypatch.setattr(distributed, "Client", refused)
    running = partial(run_on, scheduler="tcp://127.0.0.1:9", limits=Limits(), work=work)
    with pytest.raises(OutputError, match=r"127\.0\.0\.1:9: the scheduler is lost .*--resume"):
        run_study(discover(str(study)), str(tmp_path / "out"), running)


def test_slurm_scripts() -> None:
    script = sbatch(["face3d", "batch", "my study", "--out", "out"], 16, 2.0, 4.0)
    assert "#SBATCH --array=1-16\n" in script and "#SBATCH --mem=4000M\n" in script and "--time=120\n" in script
    line = "face3d batch 'my study' --out out --workers 1 --resume --shard \"$SLURM_ARRAY_TASK_ID/16\"\n"
    assert script.endswith(line)
    jobqueue = pytest.importorskip("dask_jobqueue")
    job = jobqueue.slurm.SLURMJob(
        scheduler="tcp://node:1", name="w", queue="q", cores=1, processes=1, memory="4GB", walltime="01:00:00"
    )
    assert "#SBATCH -n 1" in job.job_script() and "#SBATCH --mem=4G" in job.job_script()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of a real S3 server on this machine."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    fs.mkdir("lab")
    try:
        yield fs
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()


@pytest.mark.slow
def test_a_store_gives_and_takes(tmp_path: Path, store: Any) -> None:
    study = study_of(tmp_path / "study", *(f"ok {k}" for k in range(5)), "refuse", "segfault")
    (study / "p1" / "pre").mkdir(parents=True)
    (study / "p1" / "pre" / "rest.ply").write_text("ok 9")
    store.put(str(study), "lab/study", recursive=True)
    here = partial(run_here, workers=2, limits=Limits(60.0), work=work)
    run_study(discover(str(study)), str(tmp_path / "whole"), here)
    url, out = "s3://lab/study", "s3://lab/results"
    assert [i.name for i in discover(url).items] == [i.name for i in discover(str(study)).items]
    done = run_study(discover(url), out, here)
    assert done["ok"] == 6 and {row["status"] for row in done["failed"]} == {"refused", "crashed"}
    store.invalidate_cache()
    store.get("lab/results", str(tmp_path / "out"), recursive=True)
    assert tables_of(tmp_path / "out") == tables_of(tmp_path / "whole")
    assert not [name for name in store.find("lab/results") if "/study/" in name]
    ahead = planned(discover(url), out)
    assert ahead.done == 7 and [i.name for i in ahead.todo] == ["s006.ply"]
    store.pipe_file("lab/study/s001.ply", b"ok 7")
    assert {i.name for i in planned(discover(url), out).todo} == {"s001.ply", "s006.ply"}
    with pytest.raises(OutputError, match="--resume"):
        run_study(discover(url), out, here)
    # A record that is not there yet makes an item again: what was written before it does not count.
    store.rm_file("lab/results/s002.ply/item.json")
    assert "s002.ply" in {i.name for i in planned(discover(url), out).todo}
