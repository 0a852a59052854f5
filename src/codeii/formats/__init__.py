"""Readers of file formats, one file each; used by the sources."""
