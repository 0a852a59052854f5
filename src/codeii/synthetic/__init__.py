"""Room: synthetic twins of the sources, written in their own formats."""
