"""The files of docs/schedulers, run by the real Prefect, Dagster and Airflow.

`ah-ray` is a script that writes down its arguments and exits with a given status: what the real one
exits with is tested where it is made. `.ci/servers` installs the tools, each where no other is.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ah_ray.commands.nightly import command as nightly_command
from ah_ray.commands.score import command as score_command
from ah_ray.exit_status import ExitStatus

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "schedulers"
FILES = sorted(FOLDER.glob("*.py"))
PAGE = (ROOT / "docs" / "schedulers.md").read_text(encoding="utf-8")
NIGHTLY = [status for status in ExitStatus if status <= ExitStatus.TOO_MANY_FAILED]
NIGHTS = {
    (0,): ("Completed", False),
    (2,): ("Failed", False),
    (3, 3, 0): ("Completed", False),
    (3, 3, 3): ("Failed", False),
    (3, 5): ("Completed", True),
    (4,): ("Skipped", False),
    (5,): ("Completed", True),
    (1,): ("Failed", False),  # a traceback
}
"""What `ah-ray nightly` exits with, try after try → how the night ends, and whether it alerts."""


def constants(path: Path) -> dict[str, list[str]]:
    """Return the lists of a module that hold the parts of the command."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.List() as value):
                found[name] = ast.literal_eval(value)
            case ast.AugAssign(target=ast.Name(id=name), value=ast.List() as value):
                found[name] += ast.literal_eval(value)
    return found


def play_nights(tool: str, folder: Path) -> None:
    """Run all nights with a real tool, and compare how they end, and how often they were tried."""
    python = ROOT / ".servers" / f"venv-{tool}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{tool} is not installed: run `bash .ci/servers`")
    program = folder / "bin" / "ah-ray"
    program.parent.mkdir()
    shutil.copy(Path(__file__).with_name("stand_in.sh"), program)
    program.chmod(0o755)
    variables = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(FOLDER),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "150",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    runner = Path(__file__).with_name(f"run_{tool}.py")
    done = subprocess.run(
        [python, runner, json.dumps(list(NIGHTS))],
        cwd=folder, env=variables, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    ended = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("NIGHT ")]
    assert ended == [[name, str(alerted)] for name, alerted in NIGHTS.values()], done.stderr[-3000:]
    for statuses in NIGHTS:
        calls = (folder / f"calls-{'-'.join(map(str, statuses))}").read_text().splitlines()
        assert ["--again" in call for call in calls] == [False, *[True] * (len(statuses) - 1)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_command_is_one_of_ours(path):
    parts = constants(path)
    assert parts["NIGHT"][:2] == ["ah-ray", "nightly"]
    night = nightly_command().parse([*parts["NIGHT"][2:], "--again", "--", *parts["SCORE"]])
    assert night["again"] is True and list(night["score"]) == parts["SCORE"]
    assert score_command().parse(parts["SCORE"]).keys() == {"videos", "out", "model"}


def test_the_page_says_what_becomes_of_each_status_and_names_each_file():
    rows = re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)
    assert [int(status) for status in rows] == NIGHTLY
    assert all(f"](schedulers/{path.name})" in PAGE for path in FILES)
    assert len(FILES) == 3


@pytest.mark.servers
@pytest.mark.parametrize("tool", ["dagster", "prefect"])
def test_the_real_tool_retries_skips_alerts_and_fails(tool, tmp_path):
    play_nights(tool, tmp_path)


@pytest.mark.heavy  # `.ci/servers airflow` takes minutes
@pytest.mark.servers
def test_the_real_airflow_retries_skips_alerts_and_fails(tmp_path):
    play_nights("airflow", tmp_path)
