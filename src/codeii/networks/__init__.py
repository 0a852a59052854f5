"""What training and prediction share: the device, batches of a tensor store, and a network's answers to them."""
