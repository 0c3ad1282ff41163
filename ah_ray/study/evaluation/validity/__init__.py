"""Whether figures may be read as they stand: known people, selected videos, the locked plan."""
