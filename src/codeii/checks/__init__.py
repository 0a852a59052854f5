"""Room: verify what was made, and plan what is to be made."""
