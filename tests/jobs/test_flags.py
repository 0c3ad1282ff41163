"""Every flag of every job: it is made from a settings model, and its value arrives."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
import subprocess
import sys
from collections import defaultdict
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import pytest
import typer
import yaml
from in_process import JOBS
from pydantic import BaseModel, Field

from ah_ray.cli.command import Command, command_of
from ah_ray.cli.config_file import given_settings
from ah_ray.cli.flags import Flag
from ah_ray.config import ScoreSettings
from ah_ray.flag import flag
from ah_ray.nightly.settings import NightlySettings
from ah_ray.omni.weights.merge_settings import MergeSettings
from ah_ray.results.settings import ReduceSettings, StatusSettings
from ah_ray.study.evaluation.settings import EvaluateSettings
from ah_ray.study.exchange.settings import ExportSettings
from ah_ray.study.prepare.settings import PrepareSettings
from ah_ray.study.report.settings import ReportSettings
from ah_ray.study.review.settings import AnswerSettings, CutSettings
from ah_ray.training.settings import TrainSettings
from ah_ray.verdicts.reduction import Reduction

MODELS: dict[str, tuple[type[BaseModel], ...]] = {
    "clips": (CutSettings, AnswerSettings),
    "evaluate": (EvaluateSettings,),
    "export": (ExportSettings,),
    "merge": (MergeSettings,),
    "nightly": (NightlySettings,),
    "prepare": (PrepareSettings,),
    "reduce": (ReduceSettings,),
    "report": (ReportSettings,),
    "score": (ScoreSettings,),
    "status": (StatusSettings,),
    "train": (TrainSettings,),
}
SOURCES = {path.stem: path.read_text() for path in sorted(JOBS.glob("*.py"))}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("RAY_API_SERVER_ADDRESS", "AH_RAY_NOTIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(JOBS))


def command(job: str) -> Command:
    sys.path.insert(0, str(JOBS))
    try:
        spec = importlib.util.spec_from_file_location(f"job_{job}", JOBS / f"{job}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(JOBS))
    return module.command()


COMMANDS = {job: command(job) for job in SOURCES}
FLAGS = [
    (job, one)
    for job, made in COMMANDS.items()
    for one in made.flags
    if one.name != "config" and not one.is_argument
]
FLAG_IDS = [f"{job} {one.option}" for job, one in FLAGS]


def typed(one: Flag) -> list[tuple[list[str], Any]]:
    """What may be typed for a flag, and the value that arrives: 0, no and empty among them."""
    if one.kind is bool:
        return [([one.option], True), ([one.negation], False)]
    if one.kind in (int, float):
        return [([one.option, "0"], 0), ([one.option, "3"], 3)]
    if one.is_list:
        twice = [one.option, "a", one.option, "b c"]
        return [(twice, ["a", "b c"]), ([one.option, ""], [""])]
    return [([one.option, "some text"], "some text"), ([one.option, ""], "")]


def parsed(job: str, arguments: list[str]) -> dict[str, Any]:
    made = COMMANDS[job]
    places = {one.name: ["PLACE"] for one in made.flags if one.is_argument}
    given = made.parse([*arguments, "--", *(word for words in places.values() for word in words)])
    return {name: value for name, value in given.items() if name not in places}


def in_file(one: Flag) -> Any:
    """A value of a config file that differs from all those of `typed`."""
    if one.kind is bool:
        return True
    if one.kind in (int, float):
        return 7
    return ["x"] if one.is_list else "x"


def test_every_job_has_its_models():
    assert COMMANDS.keys() == MODELS.keys()


@pytest.mark.parametrize("job", MODELS)
def test_every_setting_is_a_flag(job):
    internal = {"draws", "most_videos"} if job == "report" else set()
    settings = {name for model in MODELS[job] for name in model.model_fields} - internal
    switches = {"demo"} if job in ("score", "train") else set()
    assert {one.name for one in COMMANDS[job].flags} == settings | switches | {"config"}


@pytest.mark.parametrize(("job", "one"), FLAGS, ids=FLAG_IDS)
def test_a_flag_arrives(job, one):
    for arguments, value in typed(one):
        assert parsed(job, arguments) == {one.name: value}


@pytest.mark.parametrize(("job", "one"), FLAGS, ids=FLAG_IDS)
def test_a_value_of_the_file_arrives_and_flags_win_over_it(job, one, tmp_path):
    file = tmp_path / "settings.yaml"
    value = in_file(one)
    for name in {one.option.removeprefix("--"), one.name}:  # with dashes or underscores
        file.write_text(yaml.safe_dump({name: value}))
        config = ["--config", str(file)]
        assert parsed(job, config) == {one.name: value}
        for arguments, wins in typed(one):
            assert parsed(job, [*config, *arguments]) == {one.name: wins}
            assert parsed(job, [*arguments, *config]) == {one.name: wins}
    if one.kind is bool:
        file.write_text(yaml.safe_dump({one.name: False}))
        assert parsed(job, ["--config", str(file), one.option]) == {one.name: True}


def test_several_values_with_commas():
    settings = COMMANDS["score"].parse(["--endings", ".mp4, .webm"])
    assert settings == {"endings": ".mp4, .webm"}
    made = ScoreSettings(videos="v", out="o", model="m", **settings)
    assert made.endings == (".mp4", ".webm")


def test_an_empty_text_empties_a_list_of_the_file(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("adapter: [a, b]\ncalibration: c\nvideos: v\nout: o\nmodel: m\n")
    flags = ["--config", str(file), "--adapter", "", "--calibration", ""]
    made = ScoreSettings(**COMMANDS["score"].parse(flags))
    assert (made.adapter, made.calibration) == ((), ())


def test_flags_win_over_environment_variables(monkeypatch):
    monkeypatch.setenv("AH_RAY_NOTIFY", "https://environment")
    assert parsed("nightly", []) == {"notify": "https://environment"}
    assert parsed("nightly", ["--notify", ""]) == {"notify": ""}


def test_the_file_with_nothing_given(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("seed: 7\nlearning-rate: 0.5\nendings: [a]\n")
    flags = {"config": file, "seed": 0, "model_cache": Path("x"), "batch": None, "endings": []}
    assert given_settings(flags) == {
        "seed": 0,
        "learning_rate": 0.5,
        "model_cache": "x",
        "endings": ["a"],
    }


def help_of(job: str) -> str:
    out, made = io.StringIO(), COMMANDS[job]
    with redirect_stdout(out), pytest.raises(typer.Exit), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        made.make_context(f"{job}.py", ["--help"])
    return out.getvalue()


def read(help_page: str) -> str:
    """The text of a page of help, without frames, line breaks and indentation."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", help_page).replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.mark.parametrize("job", MODELS)
def test_help_fits_80_columns_and_cuts_nothing(job):
    page = help_of(job)
    assert max(map(len, page.splitlines())) <= 80
    names = {words[1] for line in page.splitlines() if (words := line.split())[:1] == ["│"]}
    for one in COMMANDS[job].flags:
        assert one.is_argument or one.option in names, f"{one.option} stands on no line of its own"


@pytest.mark.parametrize(
    ("job", "one"), [(job, one) for job, made in COMMANDS.items() for one in made.flags]
)
def test_help_has_a_sentence_default_and_choices(job, one):
    assert one.help.endswith(".") and one.help[0].isupper(), f"no sentence: {one.option}"
    assert "default" not in one.help, "the program adds the default"
    if not (one.default or one.choices):
        return
    column = read_column(help_of(job), one)
    if one.default:
        assert f"[default: {one.default}]" in column
    if one.choices:
        assert f"[{' | '.join(one.choices)}]" in column


def read_column(page: str, one: Flag) -> str:
    """The help text of one flag: the lines beside and below its name."""
    lines, found = [], False
    for line in page.replace("\N{NO-BREAK SPACE}", " ").splitlines():
        if not line.startswith("│"):
            found = False
        elif re.match(r"│ \S", line):
            found = line.split()[1] == one.option
        if found:
            lines.append(line.strip("│ "))
    return " ".join(" ".join(lines).split())


def test_defaults_and_choices_come_from_the_model():
    class Settings(BaseModel):
        PANEL: ClassVar = "Numbers"
        size: int = Field(3 * 2**30, description="Size.", json_schema_extra=flag(metavar="BYTES"))
        rate: float = Field(1e-5, description="Rate.")
        name: str = Field(description="Name.")

    class Other(Settings):
        PANEL: ClassVar = "Others"
        rate: float = Field(2e-5, description="Rate.")

    made = command_of(Other, lambda given: 0)
    shown = {one.name: (one.default, one.is_required, one.panel) for one in made.flags}
    assert shown == {
        "size": ("3,221,225,472 (3 GiB)", False, "Numbers"),
        "rate": ("2e-05", False, "Others"),
        "name": ("", True, "Numbers"),
        "config": ("", False, None),
    }


def test_jobs_are_short_and_restate_no_setting():
    """No setting has its default, its help or its name in a job."""
    assert sum(len(text.splitlines()) for text in SOURCES.values()) < 600
    for job, text in SOURCES.items():
        tree = ast.parse(text)
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not imported & {"typer", "Annotated", "Field"}, job
        numbers = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
        }
        assert numbers <= {0, 1, 2}, f"{job}: a number that looks like a default"


def test_no_default_is_written_twice():
    """A setting that several jobs have with the same meaning is one field that they share.

    Named here: what two jobs call the same, and is not the same.
    """
    differing = {"seed", "batch"}
    owners = defaultdict(set)
    for model in (*(model for models in MODELS.values() for model in models), Reduction):
        for name, field in model.model_fields.items():
            if field.is_required() or field.default in (None, False, ()) or name in differing:
                continue
            owner = next(
                one for one in model.__mro__ if name in vars(one).get("__annotations__", ())
            )
            owners[name, str(field.default)].add(owner)
    assert {key for key, found in owners.items() if len(found) > 1} <= {
        ("balance", "none"),  # of windows that are cut, and of windows that are learned from
        ("draws", "2000"),  # a report takes evaluate's
    }


@pytest.mark.parametrize("job", ["score", "evaluate"])
def test_help_is_quick(job):
    """Processor time, since the clock depends on what else this machine does."""
    code = f"import runpy, sys, time; sys.argv = ['{job}.py', '--help']\n" + (
        "import os; os._exit = lambda status: (print(time.process_time(), file=sys.stderr), "
        "sys.exit())\n"
        f"runpy.run_path({str(JOBS / job) + '.py'!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stderr.split()[-1]) < 1
    assert "Usage" in done.stdout
