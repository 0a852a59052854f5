"""Whether our numbers are those that were published: verdicts by a stated test, and never on synthetic data."""
