"""The doors: each artefact's `write_x` and `read_x`, checked both ways. Imports `schema` only."""
