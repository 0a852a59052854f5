"""Tables, one file each: the docstring is title and caption, `NEEDS`, `SECTION`, and `rows(study)`."""
