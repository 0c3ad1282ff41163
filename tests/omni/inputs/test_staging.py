"""A pack on its way to a GPU: its reader waits, and its memory outlives its last reader."""

from dataclasses import fields

import pytest
import torch
from drawn_clips import draw_clip

from ah_ray.omni.inputs.audio import count_mel_frames
from ah_ray.omni.inputs.layout import lay_out_clip, lay_out_pack
from ah_ray.omni.inputs.staging import PackInputs, StagedPack, Stager, map_tensors
from ah_ray.omni.inputs.vision import compute_patch_grid


class StubEvent:
    """Stands for the event at the end of a copy."""


class StubStream:
    """Stands for a GPU's current stream, and notes what is asked of it."""

    def __init__(self):
        self.waited_for: list[StubEvent] = []

    def wait_event(self, event: StubEvent) -> None:
        self.waited_for.append(event)


@pytest.fixture
def stream(monkeypatch) -> StubStream:
    stream = StubStream()
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: stream)
    return stream


@pytest.fixture
def inputs(scorer) -> PackInputs:
    clips = [draw_clip(0), draw_clip(1, n_frames=4, seconds=0.7)]
    layouts = [
        lay_out_clip(
            scorer._questionnaire.tree,
            compute_patch_grid(clip.frames.shape),
            count_mel_frames(len(clip.samples)),
            2.0,
            13,
        )
        for clip in clips
    ]
    pack = lay_out_pack(layouts, scorer._thinker.config)
    stager = Stager(torch.device("cpu"), torch.float32)
    frames, samples = [clip.frames for clip in clips], [clip.samples for clip in clips]
    return stager.stage(frames, samples, pack, {"weights": torch.ones(2)}).wait()


def test_whoever_takes_a_pack_waits_for_its_copy(inputs, stream, monkeypatch):
    held = []
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda t, s: held.append((id(t), s)))
    copied = StubEvent()
    staged = StagedPack(inputs, copied)
    assert not stream.waited_for
    assert staged.wait() is inputs
    assert stream.waited_for == [copied]
    # Every tensor of the pack, in lists and mappings too, is kept until that stream is done.
    everything: set[int] = set()
    map_tensors(inputs, lambda tensor: everything.add(id(tensor)))
    assert {tensor for tensor, _ in held} == everything
    assert {id(s) for _, s in held} == {id(stream)}
    named = [inputs.rows, *inputs.mels, inputs.layout.ids, inputs.layout.sounds[1].tokens]
    named += [inputs.layout.vision_inputs["cu_seqlens"], inputs.extra["weights"]]
    assert {id(tensor) for tensor in named} <= everything


def test_the_tensors_are_not_reached_without_waiting():
    public = [name for name in vars(StagedPack) if not name.startswith("_")]
    assert public == ["wait"]


def test_on_a_cpu_there_is_nothing_to_wait_for(inputs):
    assert StagedPack(inputs, None).wait() is inputs
    assert {field.name for field in fields(inputs)} == {"layout", "rows", "mels", "extra"}
