"""Room: from tensors and targets to a checkpoint."""
