"""Room: recordings that occur twice, and what they do to splits, pretraining and scores."""
