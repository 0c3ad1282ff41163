"""`ah-ray-light`: the same code, with what reading needs, and everything else in extras."""

from __future__ import annotations

import subprocess
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pyarrow as pa
import pytest
from documents import ROOT, tracked_files
from environments import bare, build_wheel, closure, make_environment, normalized
from invented_rows import make_output
from packaging.requirements import Requirement

from ah_ray.installation import _EXTRAS, _STORES
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels

FULL = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LIGHT = tomllib.loads((ROOT / "light" / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = LIGHT["project"]["optional-dependencies"]


def own(extra: str) -> list[str]:
    """Return what an extra adds itself, without the other extras that it names."""
    return [line for line in EXTRAS[extra] if normalized(Requirement(line).name) != "ah-ray-light"]


def with_others(*extras: str) -> set[str]:
    """Return the requirements of an installation with these extras."""
    found, waiting = set(LIGHT["project"]["dependencies"]), list(extras)
    while waiting:
        for line in EXTRAS[waiting.pop()]:
            named = Requirement(line)
            if normalized(named.name) == "ah-ray-light":
                waiting += named.extras
            else:
                found.add(line)
    return found


pytestmark = pytest.mark.slow  # it builds environments


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of ah-ray-light, built from a copy of the tracked files."""
    source = tmp_path_factory.mktemp("source")
    for name in tracked_files():
        place = source / name
        if name.startswith(("ah_ray/", "light/")) or name in ("LICENSE", "NOTICE"):
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                place.symlink_to((ROOT / name).readlink())
            else:
                place.write_bytes((ROOT / name).read_bytes())
    return build_wheel(source / "light", tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def reading(wheel, tmp_path_factory) -> Path:
    """The Python of an environment with pyarrow and fsspec alone."""
    wanted = closure(LIGHT["project"]["dependencies"])
    assert wanted == {"fsspec", "pyarrow"}
    return make_environment(tmp_path_factory.mktemp("reading") / "env", wheel, wanted)


@pytest.fixture(scope="module")
def reporting(wheel, tmp_path_factory) -> Path:
    """The Python of an environment with `ah-ray-light[report]`."""
    wanted = closure(with_others("report"))
    assert not wanted & {"torch", "ray", "transformers", "av", "imageio-ffmpeg", "s3fs", "aiohttp"}
    return make_environment(tmp_path_factory.mktemp("reporting") / "env", wheel, wanted)


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "scores"
    make_output(str(folder), {"a": [0.1, 0.2], "b": [0.9], "c": [0.7, 0.4]})
    return folder


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments], cwd=cwd, env=bare(), capture_output=True, text=True, check=False
    )


def test_all_extras_together_are_what_the_whole_brings():
    extras = [line for extra in EXTRAS for line in own(extra) if extra not in _STORES]
    assert sorted([*LIGHT["project"]["dependencies"], *extras]) == sorted(
        FULL["project"]["dependencies"]
    )
    assert with_others("train") == set(FULL["project"]["dependencies"])


def test_both_take_the_same_extras():
    ours = FULL["project"]["optional-dependencies"]
    assert EXTRAS.keys() <= ours.keys()
    assert {extra for extra in EXTRAS if not ours[extra]} == EXTRAS.keys() - _STORES.keys()


def test_both_are_one_package_under_two_names():
    same = ("version", "requires-python", "license", "license-files", "scripts")
    assert {name: LIGHT["project"][name] for name in same} == {
        name: FULL["project"][name] for name in same
    }
    for table in ("package-data", "packages"):
        assert LIGHT["tool"]["setuptools"][table] == FULL["tool"]["setuptools"][table]


def test_the_light_wheel_has_the_same_files(wheel):
    names = {name for name in tracked_files() if name.startswith("ah_ray/")}
    assert names - set(zipfile.ZipFile(wheel).namelist()) <= {"ah_ray/omni/tiny/MODEL_CARD.md"}


def test_every_module_of_an_extra_is_brought_by_it():
    """The sentence about a missing package names the extra that has it."""
    homes = {
        module: {normalized(name) for name in names}
        for module, names in packages_distributions().items()
    }
    for extra, modules in _EXTRAS.items():
        brought = closure(own(extra)) if extra in EXTRAS else set()
        for module in modules & homes.keys():
            assert homes[module] & brought, (extra, module)


def test_reading_needs_pyarrow_and_fsspec_alone(reading, out):
    program = (
        "import ah_ray, sys\n"
        "print(ah_ray.read_verdicts('scores', ['video_id', 'answer']).to_pydict())\n"
        "print(ah_ray.read_clips('scores').num_rows)\n"
        "assert not {'numpy', 'pydantic', 'torch', 'ray', 'rich'} & sys.modules.keys()\n"
    )
    done = run(reading, "-c", program, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "{'video_id': ['a', 'b', 'c'], 'answer': ['No', 'Yes', 'Yes']}\n5\n"


@pytest.mark.parametrize(
    ("statement", "package", "extra"),
    [
        ("ah_ray.read_verdicts('s3://bucket/scores')", "s3fs", "s3"),
        ("ah_ray.score(videos='v', out='o', model='m')", "rich", "report"),
    ],
)
def test_the_interface_names_what_is_missing(reading, out, statement, package, extra):
    done = run(reading, "-c", f"import ah_ray; {statement}", cwd=out.parent)
    assert done.stderr.splitlines()[-1] == (
        f"ah_ray.errors.ConfigError: this needs the package {package}, which is missing: "
        f"pip install 'ah-ray-light[{extra}]'"
    )


def test_the_command_names_what_is_missing(reading, reporting, out):
    version = run(reading, "-m", "ah_ray", "--version", cwd=out.parent)
    assert version.stdout == f"ah_ray {FULL['project']['version']}\n"
    status = run(reading, "-m", "ah_ray", "status", "scores", cwd=out.parent)
    assert (status.returncode, status.stderr) == (
        2,
        "error: this needs the package typer, which is missing: "
        "pip install 'ah-ray-light[report]'\n",
    )
    for command, package, extra in (
        (("score", "--demo"), "ray", "train"),
        (("report", "scores", "--with-frames"), "av", "clips"),
    ):
        done = run(reporting, "-m", "ah_ray", *command, cwd=out.parent)
        assert (done.returncode, done.stderr) == (
            2,
            f"error: this needs the package {package}, which is missing: "
            f"pip install 'ah-ray-light[{extra}]'\n",
        )


def write_invented_labels(folder: Path) -> None:
    """Write labels of the videos of `out`, of one participant each."""
    fields = dict.fromkeys(LABELLED_VIDEOS.names)
    videos = [
        fields
        | {
            "uri": f"/cohort/{name}.mp4",
            "video_id": name,
            "label": label,
            "duration_s": 10.0,
            "split": "test",
            "segments": [],
            "participant_id": f"p-{name}",
        }
        for name, label in (("a", 0), ("b", 1), ("c", 0))
    ]
    table = pa.Table.from_pylist(videos, schema=LABELLED_VIDEOS)
    write_labels(str(folder), WINDOWS.empty_table(), table, {"data_fingerprint": "0" * 16})


def test_results_are_evaluated_and_reported_without_what_makes_them(reporting, out, tmp_path):
    write_invented_labels(tmp_path / "labels")
    labelled = (str(out), "--labels", str(tmp_path / "labels"))
    for command in (
        ("evaluate", *labelled, "--to", str(tmp_path / "measures")),
        ("report", *labelled, "--to", str(tmp_path / "page.html")),
    ):
        done = run(reporting, "-m", "ah_ray", *command, cwd=tmp_path)
        assert done.returncode == 0, (command, done.stderr)
    assert (tmp_path / "page.html").stat().st_size > 10_000
