"""Room: from a checkpoint to logits."""
