"""What the real ms-swift found, against what we find: both ages, every clip, step by step."""

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import numpy as np
import parity
import pytest
import torch
from parity_reference import filtered

from ah_ray.media.resize import scaling_filters, scaling_stages, shown_size
from ah_ray.omni.inputs.audio import compute_log_mel
from ah_ray.records import Clip

SWIFT = Path(__file__).parents[1] / "goldens/swift"
MODELS = {model.name: model for model in parity.models_of(SWIFT)}
CLIPS = [row["clip"] for row in parity.expected_rows(SWIFT)]
PROFILES = {"lora_swift400_tf457": "seed", "lora_swift460": "swift-4.6"}


@pytest.fixture(scope="module", params=list(PROFILES))
def model(request):
    torch.set_num_threads(1)
    return loaded(request.param)


@cache
def loaded(name: str) -> parity.Parity:
    return parity.Parity(SWIFT / "base", MODELS[name])


def expected(model_name: str, clip: str) -> tuple[float, tuple[int, ...]]:
    """P(Yes) of ms-swift, and the grid of its pictures."""
    (row,) = (row for row in parity.expected_rows(SWIFT) if row["clip"] == clip)
    column = MODELS[model_name].column
    grid = row[f"grid{column}"].strip("[]").split(",")
    return float(row[column]), tuple(map(int, grid))


def as_filtered(model: parity.Parity, clip: str, theirs) -> tuple[Clip, tuple[int, int]]:
    """The reference's picks of a clip, through the filters that the profile asks for."""
    frames = []
    with av.open(str(SWIFT / f"clips/{clip}.mp4")) as container:
        stream = container.streams.video[0]
        source = (stream.width, stream.height)
        stages = scaling_stages(*source, model.profile)
        filters = scaling_filters(*source, stages, model.profile.scale_in)
        pictures = list(container.decode(stream))
        frames = [filtered(pictures[n], filters, stream.time_base) for n in theirs.picks]
    seconds = theirs.seconds
    return Clip(
        clip_index=0,
        start_s=0.0,
        end_s=round(seconds, 1),
        frames=np.stack(frames),
        samples=theirs.samples,
        sampled_s=seconds,
    ), source


def steps_of(model: parity.Parity, clip: str):
    mp4 = SWIFT / f"clips/{clip}.mp4"
    return model.reference.steps(mp4, mp4.with_suffix(".wav"))


def test_the_record_beside_each_adapter_chooses_its_profile(model):
    name = next(name for name in PROFILES if loaded(name) is model)
    assert model.profile.name == PROFILES[name]
    assert f"args.json of {name} says ms-swift 4." in model.chosen.reason


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", PROFILES)
def test_p_is_that_of_ms_swift(name, clip):
    """0.02 is asked, 0.002 where nothing is scaled; no answer turned, and the same grid."""
    model = loaded(name)
    p, grid = expected(name, clip)
    theirs = steps_of(model, clip)
    ours, source = as_filtered(model, clip, theirs)
    found = model.compare_clip(clip, ours, source, theirs, p)
    assert found.grid == grid == found.reference_grid
    assert (found.picks, found.ids) == (0, 0)
    assert found.positions == 0 and found.mel < 1e-5
    assert found.grey_max <= 2 and found.grey_mean < 0.05
    assert found.differs_at == "", found
    assert abs(found.p_of_reference_inputs - p) < 0.001


@pytest.mark.heavy
@pytest.mark.parametrize("name", PROFILES)
def test_p_through_the_decoder_is_that_of_ms_swift(name):
    """All clips as a run decodes them: every step, and P, within what is asked."""
    found = [*parity.compared(SWIFT, MODELS[name], loaded(name))]
    assert [one for one in found if one.differs_at] == []


def test_720p_and_480p_are_shown_as_published():
    profile = loaded("lora_swift400_tf457").profile
    assert shown_size(1280, 720, profile) == (1024, 576)
    assert shown_size(852, 480, profile) == (832, 480)


@pytest.mark.parametrize(
    ("spoil", "step"),
    [
        (lambda clip, _: replace(clip, frames=clip.frames[:, :, :-32]), "grid"),
        (lambda clip, _: replace(clip, frames=np.roll(clip.frames, 1, axis=2)), "pixels"),
        (lambda clip, _: replace(clip, samples=clip.samples[::-1].copy()), "mel"),
        (lambda clip, _: replace(clip, samples=clip.samples[:-16_000]), "mel"),
        (lambda clip, theirs: replace(clip, sampled_s=theirs.seconds + 0.5), "positions"),
    ],
)
def test_the_step_that_differs_is_named(spoil, step):
    model = loaded("lora_swift460")
    clip = CLIPS[1]
    theirs = steps_of(model, clip)
    ours, source = as_filtered(model, clip, theirs)
    p, _ = expected("lora_swift460", clip)
    found = model.compare_clip(clip, spoil(ours, theirs), source, theirs, p)
    assert found.differs_at == step


def test_the_sound_of_a_model_is_transformers(model):
    theirs = steps_of(model, CLIPS[0])
    assert (
        np.abs(compute_log_mel(torch.from_numpy(theirs.samples)).numpy() - theirs.mel).max() < 1e-5
    )


def few_clips(folder: Path, *clips: str) -> Path:
    """The folder with no more than these clips."""
    folder.mkdir()
    for name in ("base", *PROFILES):
        (folder / name).symlink_to(SWIFT / name)
    (folder / "clips").mkdir()
    for clip in clips:
        for ending in (".mp4", ".wav"):
            shutil.copy(SWIFT / f"clips/{clip}{ending}", folder / "clips")
    lines = (SWIFT / "expected.tsv").read_text().splitlines()
    kept = [ln for ln in lines if ln.startswith(("#", "clip\t", *clips))]
    (folder / "expected.tsv").write_text("\n".join(kept) + "\n")
    return folder


def test_the_command_prints_every_step_and_ends_with_0_only_where_all_agree(
    tmp_path, monkeypatch, capsys
):
    folder = few_clips(tmp_path / "few", "25438a939790c720-0000")
    monkeypatch.setattr("sys.argv", ["parity.py", str(folder)])
    assert parity.main() == 0
    said = capsys.readouterr().out
    assert "lora_swift460, profile swift-4.6 (args.json of lora_swift460 says ms-swift 4.6" in said
    assert said.count("answers turned: 0") == 2
    monkeypatch.setattr("sys.argv", ["parity.py", str(folder), "--profile", "tiny"])
    assert parity.main() == 1
    assert "| grid |" in capsys.readouterr().out


def test_a_folder_without_expected_values_is_an_error(tmp_path, monkeypatch, capsys):
    (tmp_path / "expected.tsv").write_text("clip\tA\nx\t0.5\n")
    monkeypatch.setattr("sys.argv", ["parity.py", str(tmp_path)])
    assert parity.main() == 2
    assert "no column for any adapter" in capsys.readouterr().err
