"""From clips to what the model reads: prompt, token ids, patches, sound and packs."""
