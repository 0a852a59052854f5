"""What the rules, `plan` and `verify` share: checked parameters, code fingerprints, and the list of all jobs."""
