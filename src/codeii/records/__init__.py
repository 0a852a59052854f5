"""Room: from a raw source to the record store."""
