"""What a training notes of the profile that it shows clips with, and what reads it back."""

import json

import pyarrow as pa
import pytest
from labelled_clips import settings_of

from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.omni.weights.training_record import choose_profile
from ah_ray.profile import Profile, load_profile
from ah_ray.study.labelled_manifest import LABELLED_VIDEOS, WINDOWS, write_labels
from ah_ray.training.data.assignment import Machines, make_assignment, select_windows
from ah_ray.training.run import _describe_training
from ah_ray.training.worker import Assignment

ROW = {
    "uri": "/a.mp4", "video_id": "a", "window_index": 0, "start_s": 0.0, "end_s": 4.0, "label": 1,
    "question": None, "participant_id": "p", "split": "train", "weight": 1.0,
}  # fmt: skip


def assign(folder, profile: Profile) -> Assignment:
    windows = pa.Table.from_pylist([ROW], WINDOWS)
    videos = pa.Table.from_pylist([], LABELLED_VIDEOS)
    write_labels(str(folder), windows, videos, {"data_fingerprint": "f"})
    settings = settings_of(labels=str(folder))
    rows = select_windows(windows, "train", settings, (), profile)
    machines = Machines(workers=1, gpu=False, decoders=1, decoder_cpus=1.0)
    return make_assignment(settings, find_checkpoint("tiny"), profile, windows, rows, (), machines)


@pytest.mark.parametrize("name", ["seed", "swift-4.6", "tiny"])
def test_the_whole_profile_is_noted_and_chosen_when_the_model_scores(tmp_path, name):
    profile = load_profile(name).model_copy(update={"name": "mine", "max_pixels": 262_144})
    about = assign(tmp_path, profile).about
    trained = tmp_path / "model"
    trained.mkdir()
    (trained / "training.json").write_text(json.dumps(about))
    assert choose_profile(None, [("m", trained, [])]).profile == profile


def test_a_training_of_other_sizes_is_another_training(tmp_path):
    one, other = (
        _describe_training(assign(tmp_path, load_profile(p))) for p in ("seed", "seed-32")
    )
    assert one["profile"]["first_resize"] and not other["profile"]["first_resize"]
    assert one != other
