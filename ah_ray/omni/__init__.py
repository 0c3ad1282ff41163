"""A clip in, P(A/H) out: prompt, vision, sound, packing and the thinker of Qwen3-Omni.

checkpoint  which directory is a model, and its fingerprint (no torch: the driver asks)
tokens      the checkpoint's own tokenizer
prompt      profile → token ids with slots for picture and sound
answer      where P(Yes) is read
vision      frames → patches
sound       samples → log-mel
positions   mRoPE position ids
layout      one clip's, and one pack's, ids, positions and segment boundaries
packing     which clips share a pass
attention   attention that stays inside each clip
thinker     one pass over a pack
scorer      clips → scores, with errors kept apart
"""
