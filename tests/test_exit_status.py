import subprocess
import sys

import pytest

from ah_ray.errors import ConfigError
from ah_ray.exit_status import ExitStatus, final_status, read_config_file

JOB = """
import os, signal, sys, time
from typing import Annotated
import typer
from ah_ray.errors import ConfigError, OutputBusy, StorageError
from ah_ray.exit_status import ExitStatus, Job, exits
job = Job()
@job.command()
@exits
def main(do: Annotated[str, typer.Argument()], n: int = 1) -> int:
    if do == "signal":
        os.kill(os.getpid(), n)
        time.sleep(10)
    if do == "bug":
        raise RuntimeError("a bug")
    if do == "return":
        return ExitStatus(n)
    raise {"config": ConfigError, "busy": OutputBusy, "storage": StorageError}[do]("the\\n reason")
job()
"""


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
        (["signal", "--n", "2"], 3, "error: stopped. Run it again\n"),
        (["signal", "--n", "15"], 3, "error: stopped. Run it again\n"),
    ],
)
def test_statuses(arguments, status, said):
    assert run(*arguments) == (status, said)
    goes_on = run(*arguments, job=JOB.replace("@exits", "@exits(goes_on=True)"))
    assert goes_on == (status, said.replace("again", "again to go on"))


@pytest.mark.parametrize("before", ["@job.command()", "    if do ==", "job()"])
def test_interrupted_before_it_works(before):
    """While a job's module is run, and while its command is parsed or has not begun."""
    interrupt = "os.kill(os.getpid(), signal.SIGINT)"
    indent = before[: len(before) - len(before.lstrip())]
    job = JOB.replace(before, f"{indent}{interrupt}\n{before}", 1)
    assert run("return", "--n", "0", job=job) == (3, "error: stopped. Run it again\n")


def test_interrupted_while_arguments_are_read():
    job = JOB.replace("n: int = 1", "n: Annotated[int, typer.Option(parser=parsed)] = 1")
    parsed = "def parsed(text): os.kill(os.getpid(), signal.SIGINT)\n"
    job = job.replace("job = Job()", parsed + "job = Job()")
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
