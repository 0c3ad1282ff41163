import os
import subprocess
import sys

import pytest

from ah_ray.cli.config_file import read_config_file
from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus, final_status

JOB = """
import os, signal, sys, time
from ah_ray.cli.job import exits, run_job
from ah_ray.errors import ConfigError, OutputBusy, StorageError
from ah_ray.exit_status import ExitStatus
@exits
def main(given):
    do, n = given["do"], given.get("n", 1)
    if do == "signal":
        os.kill(os.getpid(), n)
        time.sleep(10)
    if do == "full":
        raise OSError(28, "No space left on device")
    if do == "bug":
        raise RuntimeError("a bug")
    if do == "return":
        return ExitStatus(n)
    raise {"config": ConfigError, "busy": OutputBusy, "storage": StorageError}[do]("the\\n reason")
def command():
    from pydantic import BaseModel, Field
    from ah_ray.cli.command import command_of
    from ah_ray.flag import flag
    class Settings(BaseModel):
        do: str = Field(json_schema_extra=flag(argument=True))
        n: int = 1
    return command_of(Settings, main)
run_job(command)
"""


ROOM = (
    "make room on the disk of the temporary folder "
    f"({os.environ.get('TMPDIR', '/tmp')}), or set TMPDIR to one on another disk"
)


def run(*arguments, job=JOB):
    done = subprocess.run(
        [sys.executable, "-c", job, *arguments], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["return", "--n", "0"], 0, ""),
        (["return", "--n", "5"], 5, ""),
        (["config"], 2, "error: the reason\n"),
        (["busy"], 4, "error: the reason\n"),
        (["storage"], 3, "error: the reason. Run it again\n"),
        (["full"], 3, f"error: No space left on device; {ROOM}. Run it again\n"),
        (["signal", "--n", "2"], 3, "error: stopped. Run it again\n"),
        (["signal", "--n", "15"], 3, "error: stopped. Run it again\n"),
    ],
)
def test_statuses(arguments, status, said):
    assert run(*arguments) == (status, said)
    goes_on = run(*arguments, job=JOB.replace("@exits", "@exits(goes_on=True)"))
    assert goes_on == (status, said.replace("again", "again to go on"))


@pytest.mark.parametrize(
    "before", ["    from pydantic import", "    class Settings", "    if do =="]
)
def test_interrupted_before_it_works(before):
    """While a job's command is loaded or made, and when it has begun."""
    interrupt = "os.kill(os.getpid(), signal.SIGINT)"
    indent = before[: len(before) - len(before.lstrip())]
    job = JOB.replace(before, f"{indent}{interrupt}\n{before}", 1)
    assert run("return", "--n", "0", job=job) == (3, "error: stopped. Run it again\n")


def test_interrupted_while_arguments_are_read():
    interrupt = "os.kill(os.getpid(), signal.SIGINT)"
    job = JOB.replace(
        "    return command_of(Settings, main)",
        "    command = command_of(Settings, main)\n"
        f"    command.params[0].process_value = lambda *_: {interrupt}\n"
        "    return command",
    )
    assert run("return", "--n", "0", job=job) == (3, "error: stopped. Run it again\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "Missing argument"), (["x", "--nn", "1"], "--nn"), (["x", "--n", "q"], "--n")],
)
def test_wrong_arguments_are_one_line(arguments, said):
    status, lines = run(*arguments)
    assert status == 2
    assert said in lines
    assert lines.startswith("error: ") and lines.count("\n") == 1


def test_a_bug_shows_where_it_is():
    status, lines = run("bug")
    assert status == 1
    assert "Traceback" in lines


def test_help_is_no_error():
    assert run("--help")[0] == 0


@pytest.mark.parametrize(
    ("n_rows", "n_failed", "status"),
    [(9, 9, 3), (10, 2, 0), (10, 3, 5), (10, 0, 0)],
)
def test_final_status(n_rows, n_failed, status):
    found = final_status(n_videos=10, n_rows=n_rows, n_failed=n_failed, max_failed=0.2)
    assert found is ExitStatus(status)


def test_all_may_fail_where_the_user_says_so():
    status = final_status(n_videos=3, n_rows=3, n_failed=3, max_failed=1)
    assert status is ExitStatus.COMPLETE


def test_config_files(tmp_path):
    path = tmp_path / "score.yaml"
    assert read_config_file(None) == {}
    path.write_text("")
    assert read_config_file(path) == {}
    path.write_text("window-s: 4\nout: x\n")
    assert read_config_file(path) == {"window_s": 4, "out": "x"}


@pytest.mark.parametrize("content", ["- a", "a: [", "a: !!python/object:os.system {}"])
def test_config_files_that_are_none(tmp_path, content):
    path = tmp_path / "score.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"--config .*score.yaml: not"):
        read_config_file(path)


def test_no_config_file(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_config_file(tmp_path / "none.yaml")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character_shows_another(encoding, tmp_path):
    job = (
        "from ah_ray.cli.job import run_job\n"
        "def command():\n"
        "    return lambda **_: print('A/H … 1 – 2 │ é漢\\ndone')\n"
        "run_job(command)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", job],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(b"A/H ?") and b"done" in shown.stdout
