"""Bring a pack to the device: pixels, sound and layout, up to where the model begins.

On a GPU this uses a stream of its own and pinned memory, while the pack before it is in the model.
Frames are sent as uint8 (a quarter of float32) and become patches there; samples become mels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch

from ah_ray.omni.inputs import audio, vision
from ah_ray.omni.inputs.layout import PackLayout


@dataclass(frozen=True, slots=True, eq=False)
class PackInputs:
    """What the model reads of a pack, on its device."""

    layout: PackLayout  # its tensors on the device
    rows: torch.Tensor  # patches of all clips [N, 1536], in the model's dtype
    mels: list[torch.Tensor]  # of each of layout.sounds, as the audio tower's chunks
    extra: Mapping[str, torch.Tensor]  # what else was staged with the pack


class StagedPack:
    """A pack that may still be on its way to its device. Only `wait` gives its tensors."""

    def __init__(self, inputs: PackInputs, copied: torch.cuda.Event | None):
        """`copied` is when all of it is there; None: it is."""
        self._inputs = inputs
        self._copied = copied

    def wait(self) -> PackInputs:
        """Return the pack for use on the device's current stream, which first waits for the copy.

        The process does not wait. The tensors may be dropped at any time: their memory, which
        belongs to the stream that copied them, is not reused before the work that is on the
        current stream by then is over.
        """
        if self._copied is not None:
            stream = torch.cuda.current_stream(self._inputs.rows.device)
            stream.wait_event(self._copied)
            map_tensors(self._inputs, lambda tensor: tensor.record_stream(stream))
        return self._inputs


def map_tensors(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    """Return a value of dataclasses, mappings and lists with `function(tensor)` for each tensor."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {name: map_tensors(part, function) for name, part in value.items()}
    if isinstance(value, list):
        return [map_tensors(part, function) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: map_tensors(getattr(value, f.name), function) for f in fields(value)}
        return replace(value, **parts)
    return value


class Stager:
    """Bring packs to one device. One thread at a time may use it."""

    def __init__(self, device: torch.device, dtype: torch.dtype):
        self.device = device
        self._dtype = dtype
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def stage(
        self,
        frames: Sequence[np.ndarray],
        samples: Sequence[np.ndarray],
        layout: PackLayout,
        extra: Mapping[str, torch.Tensor] | None = None,
    ) -> StagedPack:
        """Bring a pack to the device, with any other tensors that its pass needs.

        `frames` are n arrays [T, H, W, 3] uint8 and `samples` n arrays [N] float32, as in `layout`.
        """
        if self._stream is None:
            return StagedPack(self._stage_pack(frames, samples, layout, extra or {}), None)
        with torch.cuda.stream(self._stream):
            copied = torch.cuda.Event()
            inputs = self._stage_pack(frames, samples, layout, extra or {})
            copied.record(self._stream)
        return StagedPack(inputs, copied)

    @torch.no_grad()  # not inference_mode: training reads these tensors under autograd
    def _stage_pack(
        self,
        frames: Sequence[np.ndarray],
        samples: Sequence[np.ndarray],
        layout: PackLayout,
        extra: Mapping[str, torch.Tensor],
    ) -> PackInputs:
        rows = [vision.make_patches(self._move_tensor(clip)).to(self._dtype) for clip in frames]
        mels = [
            torch.cat(
                [
                    audio.split_chunks(audio.compute_log_mel(self._move_tensor(samples[i])))
                    for i in group.clips
                ]
            )
            for group in layout.sounds
        ]
        return PackInputs(
            map_tensors(layout, self._move_tensor),
            torch.cat(rows),
            mels,
            map_tensors(extra, self._move_tensor),
        )

    def _move_tensor(self, array: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return the array on the device, by way of pinned memory if the device is a GPU.

        Only a copy from pinned memory runs beside a pass.
        """
        if isinstance(array, torch.Tensor):
            tensor = array
        else:  # a copy where it may not be written to: torch warns otherwise
            tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
        if self._stream is None:
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)
