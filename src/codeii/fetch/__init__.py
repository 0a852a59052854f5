"""Room: take a published source into the study."""
