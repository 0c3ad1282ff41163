"""Notes what a GPU's CPU would have to wait for, on tensors of any device, also without memory."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode

SYNCHRONISING = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal",
    "aten::is_nonzero", "aten::unique_consecutive", "aten::_unique2", "aten::bincount",
}  # fmt: skip
"""Operations whose result, or its size, the CPU must know before it can go on."""


class Waits(TorchDispatchMode):
    """Notes each operation that would make the CPU wait, and each copy between devices."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self.n_operations = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.n_operations += 1
        name = function._schema.name
        by_mask = name in ("aten::index", "aten::index_put", "aten::index_put_") and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in arguments[1]
        )
        if name in SYNCHRONISING or by_mask:
            self.found.append(name)
        result = function(*arguments, **(options or {}))
        if name in ("aten::_to_copy", "aten::copy_"):
            given = arguments[-1] if name == "aten::copy_" else arguments[0]
            if given.device.type != result.device.type:
                self.found.append(f"{name} from {given.device.type} to {result.device.type}")
        return result
