"""codeii: the CODE-II study, from raw electrocardiograms to the report, as one reproducible workflow."""

__version__ = "0.1.0"
