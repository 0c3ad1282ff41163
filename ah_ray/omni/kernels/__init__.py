"""Triton kernels of the model. Each has a plain twin in torch, which tests hold it to.

`launch` starts a kernel on its tensors' device, `rows` has the arithmetic between products,
`sorting` brings tokens to their experts, `experts` has the experts' products, and `blocks` how
these are cut into tiles. All but `blocks` import Triton, which comes with torch's CUDA builds, so
others import them only on a GPU.
"""
