"""`ah-ray`: one command for all jobs, in this clone and where only the wheel is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from ah_ray.commands.main import COMMANDS

ROOT = Path(__file__).parents[2]


def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ah_ray", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


def test_every_job_is_a_command():
    jobs = {path.stem for path in (ROOT / "jobs").glob("*.py")}
    assert jobs == COMMANDS.keys()
    for name in COMMANDS:
        assert callable(import_module(f"ah_ray.commands.{name}").command)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_help_lists_all_commands(arguments):
    shown = run(*arguments).stdout
    assert all(f"  {name} " in shown for name in COMMANDS)
    assert max(map(len, shown.splitlines())) <= 80


def test_version():
    assert run("--version").stdout == f"ah_ray {version('ah_ray')}\n"


def test_a_wrong_name_is_one_line_that_names_the_right_one():
    done = run("reporrt", status=2)
    assert done.stderr == "error: there is no command reporrt: did you mean `ah-ray report`?\n"
    assert "\x1b" not in run("\x1b[2J", status=2).stderr


def test_a_command_has_the_help_and_the_errors_of_its_job():
    assert "Usage: ah-ray status" in run("status", "--help").stdout
    assert run("status", "--bad", status=2).stderr.startswith("error: No such option: --bad")


def test_help_and_versions_import_no_job():
    code = (
        "import sys; sys.argv = ['ah-ray', '--help']\n"
        "from ah_ray.commands.main import main\n"
        "try: main()\n"
        "finally: assert not {'typer', 'pydantic', 'pyarrow', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_flags_of_all_commands_import_little():
    """What prints a help page, or the error of a wrong flag, reads settings and nothing else."""
    code = (
        "import contextlib, io, sys\n"
        "from ah_ray.commands.main import COMMANDS, _load\n"
        "from ah_ray.errors import ConfigError\n"
        "for name in COMMANDS:\n"
        "    command = _load(name)\n"
        "    with contextlib.suppress(ConfigError): command.parse(['--no-such-flag'])\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        command(['--help'], standalone_mode=False, prog_name=name)\n"
        "print(len(sys.modules), *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    count, *modules = done.stdout.split()
    slow = {"numpy", "pyarrow", "fsspec", "av", "jinja2", "ray", "torch", "transformers"}
    assert {"pydantic", "rich", "typer"} <= set(modules) and not slow & set(modules)
    assert int(count) < 800  # about 400, in a third of a second; torch alone has 1,000
