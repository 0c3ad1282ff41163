"""Completion by the user's shell: a real bash reads the script and asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """A home of its own, and an `ah-ray` on the PATH that runs this clone."""
    program = tmp_path / "bin" / "ah-ray"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ah_ray "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return os.environ | {"HOME": str(tmp_path), "PATH": path, "PYTHONPATH": str(ROOT)}


def run(environment: dict[str, str], *command: str, status: int = 0) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_flags_and_choices(environment):
    script = """
    eval "$(ah-ray --show-completion bash)"
    ask() {
        COMP_WORDS=($1) COMP_CWORD=$2
        _ah_ray_completion ah-ray
        echo "${COMPREPLY[@]}"
    }
    ask "ah-ray re" 1
    ask "ah-ray report --with-f" 2
    ask "ah-ray clips --surest d" 3
    """
    answers = run(environment, "bash", "-c", script).splitlines()
    assert answers == ["reduce report", "--with-frames", "doubtful"]


def test_installing_writes_into_the_home_of_the_user(environment, tmp_path):
    run(environment, "ah-ray", "--install-completion", "fish")
    script = tmp_path / ".config" / "fish" / "completions" / "ah-ray.fish"
    assert script.read_text().startswith("complete --command ah-ray ")
    shown = run(environment, "ah-ray", "--show-completion", "zsh")
    assert shown.startswith("#compdef ah-ray\n")


def test_an_unknown_shell_is_one_line(environment):
    error = run(environment, "ah-ray", "--show-completion", "csh", status=2)
    assert error == (
        "error: --show-completion csh: give one of bash, zsh, fish, powershell, pwsh\n"
    )
