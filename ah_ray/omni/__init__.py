"""Score clips with the thinker of Qwen3-Omni: decoded clips in, P(A/H) out.

Begin with `scorer`. Each folder may use those listed before it, and the modules on top use all.

    weights/   files of a model: checkpoints, adapters, merging, download. No torch, except in
               `merging`: a driver checks a model before any GPU starts
    inputs/    from clips to tensors: prompt, tokenizer, frames, sound, positions, packs, staging
    kernels/   Triton kernels, each with a plain twin in `model/`
    model/     the network: loading, layers, attention, fp8, one model on several GPUs
    answer     where the probabilities of Yes and No are read
    batcher    packs pending clips and runs them through the model
    token_budget, device_time   how many tokens fit in a pass; how long the device works
    scorer     the `ah_ray.Scorer` of this model family, which a replica holds
    merged_checkpoint   a checkpoint with adapters merged in, as a new directory
    flops, make_tiny    the cost of a clip; the small model for demonstrations and tests
"""
