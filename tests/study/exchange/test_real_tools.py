"""Exports are opened, checked and annotated by each tool's own code, and read back.

The tools are in an environment of their own, .servers/venv, and run as processes: each program
below gets paths as its arguments, and prints what it found as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from study.exchange.invented_exchange import make_labels, make_scores, mark, run_export

from ah_ray.study.agreement import cohens_kappa
from ah_ray.study.label_errors import Faults
from ah_ray.study.labelled_video import LabelledVideo
from ah_ray.study.prepare.annotated.read_annotated import read_annotated
from ah_ray.study.prepare.settings import prepare_settings

pytestmark = pytest.mark.servers

TOOLS = Path(__file__).parents[3] / ".servers" / "venv" / "bin"
VIDEOS = ["v0", "v1", "v2", "v3"]
MARKS = {"v0": [(1.0, 4.0), (3.0, 6.52)], "v2": [(0.04, 15.0)]}
"""Two overlap: tools that show one value at a time get two layers."""


def run_tool(module: str, program: str, *arguments: object) -> Any:
    """Run a program with the tool's Python, and give what it printed; skip where it is missing."""
    python = TOOLS / "python"
    found = python.exists() and subprocess.run(
        [python, "-c", f"import {module}"], capture_output=True, env=_environment(), check=False
    )
    if not found or found.returncode:
        pytest.skip(f"{module} is not installed in .servers/venv: run `bash .ci/servers`")
    done = subprocess.run(
        [python, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "QT_QPA_PLATFORM": "offscreen"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Scores, and labels of two annotators: A/H in two recordings, by one of them in a third."""
    folder = tmp_path_factory.mktemp("tools")
    make_scores(folder, {name: [0.5, 0.6, 0.7] for name in VIDEOS})
    rows = {
        name: {
            "label": int(name in MARKS),
            "segments": [{"start_s": 2.0, "end_s": 5.0}] if name in MARKS else [],
            "annotators": ["änn", "bob"],
            "marks": [mark("änn", *pair) for pair in MARKS.get(name, [])]
            + ([mark("bob", 2.0, 5.0)] if name in ("v0", "v1") else []),
        }
        for name in VIDEOS
    }
    make_labels(folder, rows)
    return folder


def make_export(folder: Path, tool: str, out: Path) -> Path:
    run_export(str(folder / "scores"), tool, out, labels=str(folder / "labels"))
    for name in VIDEOS:
        (out / f"{name}.mp4").touch()
    return out


def read_back(tool: str, source: Path) -> dict[str, LabelledVideo]:
    settings = prepare_settings(
        out="-", plain_participants=True, **{tool.replace("-", "_"): str(source)}
    )
    faults = Faults()
    found = read_annotated(settings, None, faults, defaultdict(float))
    assert not faults.found
    return {video.video_id: video for video in found}


def intervals(video: LabelledVideo) -> dict[str | None, list[tuple[float, float]]]:
    return {
        one.annotator: [(each.start_s, each.end_s) for each in one.intervals]
        for one in video.annotations
    }


def kappa(found: dict[str, LabelledVideo], a: str, b: str) -> float | None:
    labels = [
        {one.annotator: bool(one.label) for one in found[name].annotations} for name in VIDEOS
    ]
    return cohens_kappa([each[a] for each in labels], [each[b] for each in labels])


KAPPA = cohens_kappa([True, False, True, False], [True, True, False, False])
"""Of the two annotators, over the recordings."""


PYMPI = """
import json, sys
from pathlib import Path
from pympi.Elan import Eaf
found = {}
for path in sorted(Path(sys.argv[1]).glob("*.eaf")):
    eaf = Eaf(str(path))
    tiers = {name: eaf.get_annotation_data_for_tier(name) for name in eaf.get_tier_names()}
    people = {name: eaf.get_parameters_for_tier(name).get("ANNOTATOR") for name in tiers}
    media = [one["RELATIVE_MEDIA_URL"] for one in eaf.get_linked_files()]
    values = [entry[0][0][0] for entry in eaf.get_cv_entries("answers 1").values()]
    found[path.stem] = {"tiers": tiers, "people": people, "media": media, "values": values}
    if len(sys.argv) > 2:  # annotate, and save as ELAN would
        eaf.add_tier("A/H@eve", ling=eaf.get_parameters_for_tier("A/H")["LINGUISTIC_TYPE_REF"])
        eaf.tiers["A/H@eve"][2]["ANNOTATOR"] = "eve"
        if path.stem == "v3":
            eaf.add_annotation("A/H@eve", 1234, 5678, "Yes")
        eaf.to_file(str(path))
print(json.dumps(found))
"""


def test_pympi_reads_the_files_of_elan(folder, tmp_path):
    files = make_export(folder, "elan", tmp_path / "elan")
    found = run_tool("pympi", PYMPI, files)
    assert found.keys() == set(VIDEOS)
    tiers, people = found["v0"]["tiers"], found["v0"]["people"]
    said = {name: [(start, end) for start, end, *_ in spans] for name, spans in tiers.items()}
    assert said["model A/H"] == [(0, 5000), (5000, 10000), (10000, 15000)]
    assert (said["A/H@änn"], said["A/H@änn (2)"]) == ([(1000, 4000)], [(3000, 6520)])
    assert (said["A/H@bob"], said["A/H"]) == ([(2000, 5000)],) * 2
    assert people["A/H@änn"] == "änn" and people["model A/H"] == "ah_ray"
    assert [value for *_, value in tiers["model P(A/H)"]] == ["0.500", "0.600", "0.700"]
    assert found["v0"]["media"] == ["./v0.mp4"] and found["v0"]["values"] == ["Yes", "No"]


def test_what_pympi_annotates_is_read_back(folder, tmp_path):
    files = make_export(folder, "elan", tmp_path / "elan")
    before = read_back("elan", files)
    run_tool("pympi", PYMPI, files, "annotate")
    found = read_back("elan", files)
    assert intervals(found["v3"])["eve"] == [(1.234, 5.678)]
    assert intervals(found["v0"]) == intervals(before["v0"])
    assert kappa(found, "änn", "bob") == kappa(before, "änn", "bob") == KAPPA


BORIS = """
import json, sys
from decimal import Decimal
from boris import project_functions, state_events
place = sys.argv[1]
_, changed, project, message = project_functions.open_project_json(place)
assert "error" not in project, project
report = project_functions.check_project_integrity(project, "hh:mm:ss", place, False)
states = [
    project_functions.check_state_events_obs(name, project["behaviors_conf"], one)[0]
    for name, one in project["observations"].items()
]
spans = {
    name: [
        (float(event[0]), event[2], event[3], event[-1])
        for event in project_functions.events_start_stop(
            project["behaviors_conf"], one["events"], one["type"]
        )
    ]
    for name, one in project["observations"].items()
}
if len(sys.argv) > 2:  # a further observer, saved as BORIS saves
    one = json.loads(json.dumps(project["observations"]["v3"], default=float))
    one["independent_variables"]["annotator"] = "eve"
    one["events"] = [[1.234, "", "A/H", "Yes", "", 31], [5.678, "", "A/H", "Yes", "", 142]]
    project["observations"]["v3 by eve"] = one
    with open(place, "w") as file:
        json.dump(project, file, default=float)
print(json.dumps({"changed": changed, "report": report, "states": states, "spans": spans}))
"""


def test_boris_opens_the_project_and_finds_no_fault(folder, tmp_path):
    files = make_export(folder, "boris", tmp_path / "boris")
    found = run_tool("boris", BORIS, files / "project.boris")
    assert not found["changed"]
    assert not found["report"].replace("<br>", "").strip()
    assert all(found["states"])
    assert ("v0 @änn" in found["spans"]) and ("v0 @änn (2)" in found["spans"])
    model = [event for event in found["spans"]["v0 model"] if event[1] == "model A/H"]
    assert [(time, kind) for time, *_, kind in model] == [
        (0.0, "START"), (5.0, "STOP"), (5.0, "START"), (10.0, "STOP"), (10.0, "START"),
        (15.0, "STOP"),
    ]  # fmt: skip


def test_what_boris_saves_is_read_back(folder, tmp_path):
    files = make_export(folder, "boris", tmp_path / "boris")
    before = read_back("boris", files)
    run_tool("boris", BORIS, files / "project.boris", "annotate")
    found = read_back("boris", files)
    assert intervals(found["v3"])["eve"] == [(1.234, 5.678)]
    assert intervals(found["v0"]) == intervals(before["v0"])
    assert intervals(before["v0"])["änn"] == MARKS["v0"]
    assert kappa(found, "änn", "bob") == kappa(before, "änn", "bob") == KAPPA


LABEL_STUDIO = """
import json, sys
from pathlib import Path
from label_studio_sdk.label_interface import LabelInterface
folder = Path(sys.argv[1])
interface = LabelInterface((folder / "config.xml").read_text())
interface.validate()
tasks = json.loads((folder / "tasks.json").read_text())
faults = []
for task in tasks:
    if not interface.validate_task({"data": task["data"]}):  # the SDK fails with annotations
        faults.append(["task", task["data"]])
    for prediction in task["predictions"]:
        faults += interface.validate_prediction(prediction, return_errors=True) or []
    for annotation in task["annotations"]:
        if not interface.validate_annotation(annotation):
            faults.append(["annotation", annotation])
controls = {name: [*control.labels] for name, control in interface._controls.items()
            if hasattr(control, "labels")}
print(json.dumps({"faults": faults, "controls": controls, "n": len(tasks)}))
"""


def test_label_studio_takes_configuration_and_tasks(folder, tmp_path):
    files = make_export(folder, "label-studio", tmp_path / "label-studio")
    found = run_tool("label_studio_sdk", LABEL_STUDIO, files)
    assert found["n"] == len(VIDEOS) and not found["faults"]
    assert found["controls"]["label"] == ["Yes", "No"]
    assert found["controls"]["model_face"] == ["positive", "neutral", "negative"]
    back = read_back("label-studio", _as_exported(files))
    assert intervals(back["v0"])["änn"] == MARKS["v0"]
    assert kappa(back, "änn", "bob") == KAPPA
    assert intervals(back["v3"])["user 1"] == [(0.0, 0.04)]


def _as_exported(files: Path) -> Path:
    """The tasks as Label Studio exports them: with ids, users, and an annotation of a user."""
    tasks = json.loads((files / "tasks.json").read_text())
    for number, task in enumerate(tasks, 1):
        task["id"] = number
        for annotation in task["annotations"]:
            annotation |= {"id": number, "completed_by": 9, "was_cancelled": False}
    region = {
        "from_name": "label", "to_name": "video", "type": "timelinelabels", "origin": "manual",
        "value": {"ranges": [{"start": 1, "end": 1}], "timelinelabels": ["Yes"]},
    }  # fmt: skip
    tasks[3]["annotations"].append({"completed_by": 1, "result": [region]})
    (files / "tasks.json").write_text(json.dumps(tasks))
    return files / "tasks.json"


def test_the_validator_of_bids_finds_no_error(folder, tmp_path):
    validator = TOOLS / "bids-validator-deno"
    if not validator.exists():
        pytest.skip("bids-validator-deno is not in .servers/venv: run `bash .ci/servers`")
    run_export(str(folder / "scores"), "bids", tmp_path / "bids", labels=str(folder / "labels"))
    done = subprocess.run(
        [validator, "--json", tmp_path / "bids"],
        capture_output=True,
        text=True,
        env=_environment() | {"NO_COLOR": "1"},
        check=False,
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue.get("severity", "error") == "error"]
    assert done.returncode == 0 and not errors, done.stdout
