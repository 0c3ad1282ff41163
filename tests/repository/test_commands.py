"""The commands of the README, CI, workflows and the hooks before a commit are the same ones."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from documents import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEST_COMMAND = "bash .ci/test"


def code_lines(page: str) -> list[str]:
    """Return the lines of a page's fenced blocks of shell."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def script(name: str) -> str:
    return (ROOT / ".ci" / name).read_text(encoding="utf-8")


def workflow(name: str) -> dict:
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def test_readme_contributing_and_ci_name_one_test_command():
    assert TEST_COMMAND in code_lines(README)
    assert any(line.startswith(TEST_COMMAND) for line in code_lines(CONTRIBUTING))
    assert re.search(rf"^{re.escape(TEST_COMMAND)}\b", script("run"), re.MULTILINE)
    assert re.search(r"^bash \.ci/check$", script("run"), re.MULTILINE)


def test_pytest_is_started_in_one_place():
    started = re.compile(r"^[^#\n]*\bpytest\b(?!>)", re.MULTILINE)
    assert started.findall(script("test"))
    assert not started.findall(script("run")) and not started.findall(script("check"))
    for page in (README, CONTRIBUTING):
        assert not any("pytest" in line.partition("#")[0] for line in code_lines(page))


def test_every_line_of_ci_ends_it_when_it_fails():
    for name in ("run", "test", "check"):
        assert "set -euo pipefail" in script(name)


def test_a_push_runs_what_ci_runs():
    steps = workflow("ci.yml")["jobs"]["ci"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]


def test_ci_runs_on_all_supported_pythons_and_tries_the_built_wheel():
    jobs = workflow("ci.yml")["jobs"]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert jobs["ci"]["strategy"]["matrix"]["python"] == [oldest, "3.12", "3.13"]
    steps = [step["run"] for step in jobs["package"]["steps"] if "run" in step]
    assert steps[0] == "bash .ci/build"
    assert "env/bin/ah-ray score --demo" in steps[-1]


def test_long_tests_have_a_schedule_that_contributors_can_read():
    long = workflow("long.yml")
    (step,) = [step for step in long["jobs"]["long"]["steps"] if "run" in step]
    assert step["run"].startswith(f"{TEST_COMMAND} -n 0 -m long")
    schedule = long[True]["schedule"]  # YAML 1.1 reads the key `on` as true
    assert schedule == [{"cron": "0 2 * * 0"}]
    assert f"{TEST_COMMAND} -n 0 -m long" in CONTRIBUTING and "every Sunday" in CONTRIBUTING


def test_heavy_tests_run_every_night():
    steps = workflow("heavy.yml")["jobs"]["heavy"]["steps"]
    servers, heavy, properties = [step["run"] for step in steps if "run" in step]
    assert servers.startswith("bash .ci/servers")
    assert heavy.startswith(f'{TEST_COMMAND} -n 0 -m "heavy and not long"')
    assert properties.endswith("--hypothesis-profile nightly")
    assert workflow("heavy.yml")[True]["schedule"] == [{"cron": "0 1 * * *"}]
    assert "every night" in CONTRIBUTING


@pytest.mark.parametrize("name", ["ci.yml", "heavy.yml", "long.yml"])
def test_workflows_may_only_read(name):
    assert workflow(name)["permissions"] == {"contents": "read"}


def test_hooks_before_a_commit_use_the_commands_of_ci():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"] for repository in hooks for hook in repository["hooks"]]
    programs = {entry.split()[0] for entry in entries}
    assert programs == {".venv/bin/ruff", ".venv/bin/codespell", ".venv/bin/mypy"}
    assert all(program in script("check") + script("run") for program in programs)


def test_the_changelog_begins_with_what_is_not_released():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", line) for line in headings[1:])
    released = [heading.split()[0] for heading in headings[1:]]
    assert not released or released[0] == PROJECT["project"]["version"]
