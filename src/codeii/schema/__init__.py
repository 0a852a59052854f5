"""The words: what a lead, a record, a label set, a split and a setting are. Imports nothing of ours."""
