"""The profiles of batch systems, without one: what is asked for, what is retried and cancelled."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from iic.params.operations import committed
from iic.params.runs import load_plan
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt
from tests.workflow.workflow_helpers import (
    ROOT,
    Finished,
    copy,
    edit,
    environment,
    iic,
    planned,
    run,
    snakemake,
    write_scale,
)

PROFILES = ROOT / "workflow/profiles"
FAKE_PBS = ROOT / "tests/workflow/fake_pbs"
TRAINED = RunPaths("queued", "digits/kmeans", 0)
LONG = RunPaths("long", "digits/iic", 0)
# what an impatient site adds to a profile
SITE = "seconds-between-status-checks: 1\nlatency-wait: 5\n"
WEEKS = {"epochs": 10_000_000, "max_steps": None, "snapshot_steps": []}
NO_PATIENCE = {
    "cluster-generic": "retries: 0\n",
    "slurm": "retries: 0\nslurm-init-seconds-before-status-checks: 1\n",
}
FAKE_SLURM = """\
#!/bin/sh
case $(basename "$0") in
    sbatch) echo "$*" >> "$FAKE_SLURM/submitted"; exit 1 ;;
    sinfo) echo 'PARTITION'; echo 'batch*' ;;
    scontrol) echo 'MinJobAge = 300 sec' ;;
    *) exit 1 ;;
esac
"""


@pytest.fixture(scope="module")
def base(tiny: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with data and three more scales. Do not change it."""
    path = copy(tiny.path, tmp_path_factory.mktemp("queues") / "clone")
    write_scale(path, "queued", "digits/kmeans")
    schedule = {"epochs": 4000, "max_steps": 200_000, "checkpoint_seconds": 3600}
    write_scale(path, "long", "digits/iic", schedule={**schedule, "snapshot_steps": []})
    write_scale(path, "mixed", "digits/iic", gpu=True, schedule=WEEKS)
    mixed = path / "params/scales/mixed.yaml"
    settings = yaml.safe_load(mixed.read_text())
    settings["skip"].remove("digits/kmeans")
    mixed.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def clone(base: Path, tmp_path: Path) -> Path:
    return copy(base, tmp_path / "clone")


def through(folder: Path, profile: str, commands: Path, site: str = SITE) -> dict[str, str]:
    """Variables with which a command runs its jobs in a batch system of its own."""
    for name in ("queue", "site"):
        (folder / name).mkdir()
    (folder / "site/config.yaml").write_text(site)
    return {
        "SNAKEMAKE_PROFILE": f"[workflow/profiles/{profile}, {folder / 'site'}]",
        "PATH": os.pathsep.join([str(commands), environment()["PATH"]]),
        "FAKE_PBS": str(folder / "queue"),
        "FAKE_SLURM": str(folder / "queue"),
    }


def submitted(folder: Path) -> list[str]:
    """What each job was submitted with."""
    return (folder / "queue/submitted").read_text().splitlines()


def processes(folder: Path) -> list[psutil.Process]:
    """Everything that runs in or below a folder."""
    running = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != "zombie":
                running.append(process)
        except psutil.Error:
            continue
    return running


def asked(line: str) -> tuple[str, int, int]:
    """Rule, memory in MB and seconds that a job was submitted with."""
    match = re.search(r"-N iic_(\w+) .*mem=(\d+)mb,walltime=(\d+),", line)
    return match[1], int(match[2]), int(match[3])


def test_jobs_go_through_a_batch_system_and_those_that_fail_get_more_memory_and_time(
    clone: Path, tmp_path: Path
) -> None:
    variables = through(tmp_path, "cluster-generic", FAKE_PBS)
    said = iic(
        clone, "run", "--scale", "queued", "tables", FAKE_PBS_NEEDED="7000", **variables
    ).said
    jobs = [asked(line) for line in submitted(tmp_path)]
    # downloads, scores and tables stay where Snakemake runs
    (first, memory, seconds), (again, more, longer) = jobs
    assert first == again == "train_run"
    assert memory < 7000 <= more == 2 * memory
    assert longer == 2 * seconds and seconds % 3600 == 0
    assert said.count("Trying to restart job") == 1
    assert read_record(clone / TRAINED.receipt, Receipt).rule == "train"
    assert (clone / "results/queued/tables/table_1.csv").exists()


def test_a_cancelled_driver_leaves_nothing_running_and_trainings_their_checkpoint(
    clone: Path, tmp_path: Path
) -> None:
    variables = through(tmp_path, "cluster-generic", FAKE_PBS)
    driver = subprocess.Popen(
        [sys.executable, "-m", "iic", "run", "--scale", "long", str(LONG.receipt)],
        cwd=clone,
        env=environment(**variables),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    history = clone / LONG.scratch / "history.jsonl"
    try:
        wait_for(lambda: history.exists() or driver.poll() is not None)
        assert len(processes(clone)) > 1
        driver.send_signal(signal.SIGINT)
        said, _ = driver.communicate(timeout=60)
        assert driver.returncode != 0
        wait_for(lambda: not processes(clone))
    finally:
        for process in processes(clone):
            process.kill()
    assert history.with_name("checkpoint.pt").exists(), said
    assert not (clone / LONG.receipt).exists()
    assert not [*(clone / ".snakemake/locks").glob("*")]


def wait_for(condition: object) -> None:
    end = time.monotonic() + 120
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_other_resources_make_no_finished_result_stale(tiny_copy: Path) -> None:
    common = tiny_copy / "workflow/rules/common.smk"
    edit(common, "return (6000 + copies", "return (7000 + copies")
    edit(common, "attempt: first * attempt", "attempt: first * attempt + 1")
    asked = "--set-resources=train_run:mem_mb=1,train_run:slurm_partition=gpu"
    assert planned(tiny_copy, asked, scale="tiny") == []


@pytest.fixture(scope="module")
def fake_slurm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slurm's commands, of which sbatch notes what it was asked and takes no job."""
    folder = tmp_path_factory.mktemp("fake_slurm")
    for name in ("sbatch", "sinfo", "scontrol", "squeue", "sacct", "sacctmgr", "sshare"):
        (folder / name).write_text(FAKE_SLURM)
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("profile", "gpu", "others"),
    [
        ("cluster-generic", "ngpus=1", r"ncpus=1,mem=6\d{3}mb,walltime=7200,ngpus=0 "),
        ("slurm", "--gpus=1", r" -t 120 --mem 6\d{3} --requeue --ntasks=1 --cpus-per-task=1 "),
    ],
)
def test_a_run_that_wants_a_gpu_asks_for_one_and_others_do_not(
    clone: Path, tmp_path: Path, fake_slurm: Path, profile: str, gpu: str, others: str
) -> None:
    commands = {"cluster-generic": FAKE_PBS, "slurm": fake_slurm}[profile]
    variables = through(tmp_path, profile, commands, SITE + NO_PATIENCE[profile])
    runs = [str(RunPaths("mixed", f"digits/{name}", 0).receipt) for name in ("iic", "kmeans")]
    done = iic(clone, "run", "--scale", "mixed", *runs, expect=1, FAKE_PBS_FULL="1", **variables)
    assert "Traceback" not in done.said
    # what Snakemake hands on to the job itself is no request
    lines = [line.split(" --wrap")[0] for line in submitted(tmp_path)]
    assert len(lines) == 2
    (on_gpu,) = [line for line in lines if gpu in line]
    (elsewhere,) = [line for line in lines if line != on_gpu]
    assert re.search(others, elsewhere), elsewhere
    assert re.search(r"gpus?=[1-9]", on_gpu) and not re.search(r"gpus?=[1-9]", elsewhere)
    # time as estimated, with room: a batch system would end a long training half-way
    plan = load_plan("mixed", clone / "params")
    cost = plan.run("digits/iic").settings.cost(plan.datasets["digits"], committed)
    minutes = int(re.search(r" -t (\d+) |$", on_gpu)[1] or asked(on_gpu)[2] // 60)
    assert max(48, 3 * cost.hours(gpu=True)) < minutes / 60 < cost.steps / 3600


def test_a_dry_run_shows_what_would_be_asked_for(clone: Path) -> None:
    said = snakemake(
        clone, "--dry-run", f"--profile={PROFILES / 'slurm'}", str(LONG.receipt), scale="long"
    ).said
    (line,) = re.findall(r"^Job \d+: Training iic on digits .*$", said, flags=re.MULTILINE)
    plan = load_plan("long", clone / "params")
    cost = plan.run("digits/iic").settings.cost(plan.datasets["digits"], committed)
    hours = round(3 * cost.hours(gpu=False) + cost.steps / 20 / 3600)
    limits = re.search(r" At most 1 threads, 6\d{3} MB, (\d+) minutes, 0 GPUs\.$", line)
    assert int(limits[1]) == 60 * hours > 120, line


@pytest.mark.parametrize("profile", sorted(path.parent.name for path in PROFILES.glob("*/*.yaml")))
def test_a_profile_names_no_site_and_finishes_what_was_cut_off(profile: str) -> None:
    settings = yaml.safe_load((PROFILES / profile / "config.yaml").read_text())
    assert settings["rerun-incomplete"]
    assert not {"config", "set-threads", "set-resources", "slurm_account"} & settings.keys()
    # they would bring back Snakemake's own lines
    assert not {"quiet", "printshellcmds", "show-failed-logs", "verbose"} & settings.keys()
    if "executor" in settings:
        assert settings["keep-going"]
        assert settings["latency-wait"] >= 30 and settings["retries"] >= 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("job_state = Q", "running"),
        ("job_state = R", "running"),
        ("job_state = F\n    Exit_status = 0", "success"),
        ("job_state = F\n    Exit_status = 1", "failed"),
        ("job_state = F\n    Exit_status = 271", "failed"),
        ("job_state = F", "failed"),
        (None, "failed"),
    ],
)
def test_the_status_command_reads_what_pbs_prints(
    tmp_path: Path, answer: str | None, said: str
) -> None:
    qstat = tmp_path / "qstat"
    text = f"cat <<'END'\nJob Id: 7.host\n    {answer}\nEND" if answer else "exit 35"
    qstat.write_text(f"#!/bin/sh\n{text}\n")
    qstat.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    status = str(PROFILES / "cluster-generic/status")
    assert run(tmp_path, status, "7.host", PATH=path).said.strip() == said
