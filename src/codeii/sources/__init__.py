"""Data sets, one file each: `CARD` and `read_records(raw, options)`."""
