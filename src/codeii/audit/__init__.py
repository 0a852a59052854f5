"""Room: judges what was read of a source against its card, its publishers' numbers, and its known faults."""
