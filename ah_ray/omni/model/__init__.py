"""The network: loading, layers, attention, arithmetic, and one model on several GPUs."""
