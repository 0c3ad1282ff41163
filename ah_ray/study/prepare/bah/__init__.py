"""The BAH dataset as it is distributed: its tree, people, splits and annotations."""
