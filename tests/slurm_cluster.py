"""A Slurm of its own for a test: munged, a controller and two node daemons on this machine.

Its nodes claim the sizes that jobs/slurm.sbatch asks for, and `b` a GPU, which is /dev/null.

All daemons listen on 127.0.0.1 alone, on free ports, with a key, a configuration and a state of
their own, in one folder, and are stopped by their own process ids. No service of the system is
used. Any user may start it; jobs then are that user's.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port, stop

NODES = ("a", "b")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
# Otherwise they would listen on every address of the machine.
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
# A job that was requeued starts again when the credentials of its last start have expired.
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=6
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
# No control groups, no MPI: what an ordinary machine has.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
FirstJobId={first_job}
JobRequeue=1
KillWait=20
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=a NodeHostname={host} NodeAddr=127.0.0.1 Port={port_a} CPUs=16 RealMemory=131072
NodeName=b NodeHostname={host} NodeAddr=127.0.0.1 Port={port_b} CPUs=16 RealMemory=131072 Gres=gpu:1
PartitionName=all Nodes=a,b Default=YES MaxTime=INFINITE State=UP
PartitionName=cpu Nodes=a MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=b MaxTime=INFINITE State=UP
"""


def find_missing() -> str | None:
    """Return the first program of Slurm that is not installed, or None."""
    return next((name for name in PROGRAMS if shutil.which(name, path=daemon_path()) is None), None)


def daemon_path() -> str:
    """Return a PATH with the folders where Debian has daemons, which only root's PATH names."""
    return f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"


@dataclass(frozen=True, slots=True)
class Slurm:
    """A running cluster with the nodes `a` and `b`."""

    folder: Path
    environment: dict[str, str]  # of its clients

    def ask(self, *command: object, check: bool = True) -> str:
        """Run one of Slurm's commands. Return what it prints, errors too."""
        ran = subprocess.run(
            [str(part) for part in command],
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or ran.returncode == 0, ran.stdout
        return ran.stdout

    def facts(self, job: str) -> dict[str, str]:
        """Return what the controller knows of a job: JobState, ExitCode, Restarts, …"""
        text = self.ask("scontrol", "show", "job", job, "--oneliner").splitlines()[0]
        return dict(part.split("=", 1) for part in text.split() if "=" in part)


@contextmanager
def slurm_cluster() -> Iterator[Slurm]:
    """Start the cluster; stop it with all its jobs."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # sockets' names must be short
    folder.chmod(0o755)  # munged refuses a socket that others cannot reach
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            host=socket.gethostname(),
            user=getpass.getuser(),
            controller_port=free_port(),
            port_a=free_port(),
            port_b=free_port(),
            first_job=1 + secrets.randbelow(50_000),
        )
    )
    (folder / "gres.conf").write_text("NodeName=b Name=gpu File=/dev/null\n")
    (folder / "state").mkdir()
    for name in NODES:
        (folder / f"spool-{name}").mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(64))
    (folder / "munge.key").chmod(0o400)
    munge = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
    files = [f"--{option}={folder}/munge.{ending}" for option, ending in munge.items()]
    slurm = Slurm(folder, environment)
    with ExitStack() as daemons:
        daemons.callback(shutil.rmtree, folder, ignore_errors=True)

        def start(*command: str) -> None:
            daemons.enter_context(_daemon(folder, environment, command))

        start("munged", "--foreground", f"--log-file={folder}/munge.log", *files)
        _wait_until((folder / "munge.socket").exists, "munged listens")
        start("slurmctld", "-D", "-i")
        for name in NODES:
            start("slurmd", "-D", "-N", name)
        _wait_until(
            lambda: slurm.ask("sinfo", "-h", "-o", "%T", "-p", "all", check=False) == "idle\n",
            "both nodes are idle",
        )
        daemons.callback(_end_jobs, slurm)
        yield slurm


def _end_jobs(slurm: Slurm) -> None:
    slurm.ask("scancel", "--user", getpass.getuser())
    _wait_until(lambda: slurm.ask("squeue", "-h") == "", "all jobs have ended")


@contextmanager
def _daemon(
    folder: Path, environment: dict[str, str], command: tuple[str, ...]
) -> Iterator[subprocess.Popen]:
    with (folder / "daemons.log").open("a") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | environment | {"PATH": daemon_path()},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process)


def _wait_until(condition, what: str, limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.2)
