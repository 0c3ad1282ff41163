"""A clip in, P(A/H) out: prompt, vision, sound, packing and the thinker of Qwen3-Omni.

checkpoint  which directory is a model, and its fingerprint (no torch: the driver asks)
folder      its files, here or in an object store; safetensors_file: what is in them
local_copy  a model from an object store, on this node's disk; turns: by one process at a time
adapter     a LoRA adapter; weight_names, adapter_fit: which weights it changes
merging     an adapter added to weights; merged_checkpoint: written as a new model
tokens      the checkpoint's own tokenizer
prompt      profile → token ids with slots for picture and sound
answer      where P(Yes) is read
vision      frames → patches
sound       samples → log-mel
positions   mRoPE position ids
layout      one clip's, and one pack's, ids, positions and segment boundaries
packing     which clips share a pass
staging     a pack brought to the device, beside the pass before it
attention   attention that stays inside each clip
fused       element-by-element arithmetic, one kernel each
fp8         large products in 8 bits, where they are asked for
layers      a decoder layer, and the vision tower
thinker     one pass over a pack
split       which layers lie on which GPU
loading     a checkpoint's files → a model on its devices
budget      how many tokens fit into a pass
conveyor    clips wait, are packed, staged and passed
scorer      clips → scores, with errors kept apart
"""
