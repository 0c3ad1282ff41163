"""Blobs of Azure, in storage accounts with or without a hierarchical namespace."""
