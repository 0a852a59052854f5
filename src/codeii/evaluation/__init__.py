"""Room: from logits and targets to scores."""
