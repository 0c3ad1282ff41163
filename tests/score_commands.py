"""Commands of jobs/score.py, as they stand in files that nobody runs here."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

from ah_ray.config import ScoreSettings, score_settings

ROOT = Path(__file__).parents[1]


def score_commands(text: str) -> list[list[str]]:
    """The arguments of each `python …jobs/score.py …`, in comments, code blocks or YAML."""
    text = re.sub(r"^[ \t]*#+ ?", "", text, flags=re.MULTILINE)
    text = text.replace("\\\n", " ")
    return [shlex.split(found) for found in re.findall(r"python \S*jobs/score\.py([^;\n]*)", text)]


def parsed(arguments: list[str]) -> ScoreSettings:
    """As jobs/score.py itself would read them; raises what it would refuse them with."""
    spec = importlib.util.spec_from_file_location("score_job", ROOT / "jobs" / "score.py")
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)
    return score_settings(**job.command().parse(arguments))


def pinned(package: str) -> str:
    """The version that constraints.txt names."""
    text = (ROOT / "constraints.txt").read_text()
    return re.search(rf"^{re.escape(package)}==(\S+)$", text, re.MULTILINE)[1]
