"""jobs/slurm.sbatch, as far as it can be checked without a Slurm (tests/jobs/test_slurm.py)."""

from __future__ import annotations

import re
import subprocess

import pytest
from score_commands import ROOT, parsed

SCRIPT = ROOT / "jobs" / "slurm.sbatch"
TEXT = SCRIPT.read_text()
PAGE = (ROOT / "docs" / "slurm.md").read_text()
MOST_LINES = 600
"""All files of jobs/ together: a reader who opens the folder sees what is run, not how."""


def options() -> str:
    return "\n".join(re.findall(r"^#SBATCH (.*)", TEXT, re.MULTILINE))


def default_of(variable: str) -> str:
    return re.search(rf"\${{{variable}:-([^}}]*)}}", TEXT)[1]


def test_bash_can_read_it():
    checked = subprocess.run(["bash", "-n", SCRIPT], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_jobs_stay_short():
    files = [path for path in (ROOT / "jobs").iterdir() if path.is_file()]
    assert sum(len(path.read_text().splitlines()) for path in files) < MOST_LINES
    assert all(len(line) <= 100 for line in TEXT.splitlines())


@pytest.mark.parametrize("text", [TEXT, PAGE])
def test_its_example_is_a_command_of_the_job(text):
    found = re.findall(r"^[# ]*sbatch (?:--\S+ )*jobs/slurm\.sbatch (.+)$", text, re.MULTILINE)
    assert found
    for arguments in found:
        parsed(arguments.split())


def test_the_signal_leaves_time_for_a_clean_stop():
    before_limit = int(re.search(r"--signal=B:TERM@(\d+)", options())[1])
    # Slurm may send it half a minute early, never late; the nodes take up to 20 s after the run.
    assert int(default_of("AH_RAY_GRACE_S")) + 20 + 60 < before_limit


def test_a_requeued_job_goes_on_in_the_same_log():
    assert {"--requeue", "--open-mode=append"} <= set(options().split())


def test_every_setting_is_on_its_page():
    names = set(re.findall(r"AH_RAY_[A-Z_]+", TEXT))
    assert names == set(re.findall(r"AH_RAY_[A-Z_]+", PAGE))


def test_no_secret_stands_in_a_command():
    """Every user of a node sees its processes' arguments."""
    commands = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in commands if re.search(r"--\S*(token|password|key)", line)]


def test_it_does_not_stop_what_is_not_its_own():
    assert not re.search(r"^[^#\n]*(symmetric-run|ray stop|pkill|killall)", TEXT, re.MULTILINE)
