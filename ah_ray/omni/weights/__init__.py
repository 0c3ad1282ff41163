"""Files of a model: checkpoints, adapters, training records, and where they come from."""
