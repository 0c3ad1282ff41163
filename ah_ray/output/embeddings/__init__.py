"""Embeddings of clips, kept beside the rows: written, read, and removed with them."""
