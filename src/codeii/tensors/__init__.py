"""Room: from records to tensors and targets."""
