"""One optimiser step: packs, losses, gradients."""
