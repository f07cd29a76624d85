"""A real Slurm of one node: Debian's packages, own settings, own ports, nothing outside a folder.

The commands are wrappers that name the settings, since the plugin of Snakemake for job steps takes
every SLURM_ variable out of the environment, SLURM_CONF included.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("slurm-wlm", "munge")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
WRAPPED = (
    "sacct",
    "sacctmgr",
    "sbatch",
    "scancel",
    "scontrol",
    "sinfo",
    "squeue",
    "srun",
    "sshare",
)
PATIENCE = 60.0
"""Seconds that a daemon may take to start or end."""

SETTINGS = """\
ClusterName=iic
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldDebug=debug
SlurmdDebug=debug
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
SchedulerParameters=batch_sched_delay=1,sched_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory}
PartitionName=low Nodes={host} Default=YES PriorityTier=1 GraceTime=0
PartitionName=grace Nodes={host} PriorityTier=1 GraceTime={grace}
PartitionName=high Nodes={host} PriorityTier=10 PreemptMode=OFF
"""
CPUS, MEMORY = 8, 200_000
"""What the node claims to have, MiB of memory: as much as jobs may ask for; nobody enforces it."""
GRACE = 20
"""Seconds between the notice and the end, in the partition that gives notice."""


class CannotRun(Exception):
    """Why there can be no Slurm here."""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm."""

    folder: Path
    commands: Path
    """Folder of its commands, to be put in front of PATH."""

    def __call__(self, *command: str) -> str:
        """What a command of Slurm says on standard output."""
        done = subprocess.run(
            [str(self.commands / command[0]), *command[1:]],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout.strip()

    def log(self) -> str:
        """What the controller has logged."""
        return (self.folder / "slurmctld.log").read_text(encoding="utf-8", errors="replace")


def install() -> None:
    """Install Slurm unless it is there.

    Raises:
        CannotRun: Not root, no apt-get, or the packages cannot be had.
    """
    if os.getuid() != 0:
        raise CannotRun("a Slurm of one node needs root, for its daemons change users")
    if all(shutil.which(program, path=_path()) for program in PROGRAMS):
        return
    if shutil.which("apt-get") is None:
        raise CannotRun(f"no Slurm here, and no apt-get to install {' '.join(PACKAGES)} with")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES]
    for command in (install, ["apt-get", "update", "--quiet"], install):
        done = subprocess.run(
            command, env=quiet, capture_output=True, text=True, timeout=600, check=False
        )
        if command is install and done.returncode == 0:
            return
    raise CannotRun(f"apt-get cannot install {' '.join(PACKAGES)}: {done.stderr[-300:]}")


@contextlib.contextmanager
def single_node(folder: Path) -> Iterator[Slurm]:
    """Run a Slurm of one node in `folder`, and leave no daemon behind.

    Raises:
        CannotRun: It cannot be installed here.
    """
    install()
    for name in ("state", "spool", "commands"):
        (folder / name).mkdir(parents=True)
    settings = folder / "slurm.conf"
    host = socket.gethostname().split(".")[0]
    settings.write_text(
        SETTINGS.format(
            host=host,
            folder=folder,
            ports=_free_ports(2),
            memory=MEMORY,
            grace=GRACE,
            cpus=CPUS,
        )
    )
    for name in WRAPPED:
        program = shutil.which(name, path=_path())
        if program is not None:
            wrapper = folder / "commands" / name
            wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={settings} exec {program} "$@"\n')
            wrapper.chmod(0o755)
    slurm = Slurm(folder, folder / "commands")
    with contextlib.ExitStack() as daemons:
        socket_file = folder / "munge.socket"
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        # the folder is of a test, so that munged need not distrust its parents
        munged = ["munged", "--foreground", "--force", f"--socket={socket_file}"]
        own = [f"--{kind}-file={folder}/munge.{kind}" for kind in ("key", "pid", "log", "seed")]
        daemons.enter_context(_daemon(folder, [*munged, *own]))
        _until(socket_file.exists, "munged opens no socket")
        daemons.enter_context(_daemon(folder, ["slurmctld", "-D", "-f", str(settings)]))
        daemons.enter_context(_daemon(folder, ["slurmd", "-D", "-f", str(settings), "-N", host]))
        # jobs first: slurmd waits for its last step
        daemons.callback(_cancel_all, slurm)
        _until(lambda: _state(slurm) == "idle", f"no idle node, see {folder}/slurmctld.log")
        yield slurm


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def _daemon(folder: Path, command: list[str]) -> Iterator[None]:
    program = shutil.which(command[0], path=_path())
    assert program is not None
    with (folder / f"{command[0]}.out").open("w") as out:
        process = subprocess.Popen([program, *command[1:]], stdout=out, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _state(slurm: Slurm) -> str:
    try:
        return slurm("sinfo", "--noheader", "--partition=low", "--format=%T")
    except AssertionError:
        return ""


def _cancel_all(slurm: Slurm) -> None:
    slurm("scancel", "--user=root")
    with contextlib.suppress(AssertionError):
        _until(lambda: not slurm("squeue", "--noheader"), "jobs do not end")


def _until(condition: object, otherwise: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, otherwise
        time.sleep(0.2)
