"""C of ours, compiled at first use and called through ctypes. Optional: every caller has a reference path in Python."""
