"""The columns of a declared table against its layout: every difference is named, before the first row is read."""

from collections.abc import Sequence
from difflib import get_close_matches

from codeii.formats.layout import Layout


def declared_columns(layout: Layout) -> dict[str, str]:
    """Key of the layout -> the column of the table that it names; the columns of the classes aside."""
    found = {f"columns.{key}": name for key, name in layout.columns.model_dump().items() if name is not None}
    for key in ("after", "column"):
        name = getattr(layout.statements, key, None)
        if name is not None:
            found[f"statements.{key}"] = name
    return found


def statement_columns(layout: Layout, header: Sequence[str]) -> list[str]:
    """The 0/1 columns of the classes: those declared, or all to the right of `after`; none where there are none."""
    said = layout.statements
    if said is None or said.column is not None:
        return []
    return said.columns or list(header[header.index(str(said.after)) + 1 :])


def column_faults(layout: Layout, header: Sequence[str], classes: int | None) -> list[str]:
    """Every difference between a table's header line and its layout: the key, what is expected, what is found.

    A declared column is missing, or a column is there twice; the columns right of `after` are not the declared ones
    (`after` with `columns`), or not as many as the publisher names classes (`after` alone).
    """
    named = list(declared_columns(layout).items())
    named += [("statements.columns", name) for name in getattr(layout.statements, "columns", None) or ()]
    faults = [
        f"{key}: expected column {name!r}, found none{_near(name, header)}" for key, name in named if name not in header
    ]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    faults += [f"column {name!r}: expected once, found {header.count(name)} times" for name in twice]
    return faults or list(_class_faults(layout, header, classes))


def _class_faults(layout: Layout, header: Sequence[str], classes: int | None) -> list[str]:
    said = layout.statements
    if said is None or said.after is None:
        return []
    right = header[header.index(said.after) + 1 :]
    if said.columns is not None:
        extra = [name for name in right if name not in said.columns]
        return [f"statements.columns: found {name!r} right of {said.after!r}, which is not declared" for name in extra]
    if classes is None or len(right) == classes:
        return []
    return [
        f"statements.after: expected {classes} classes right of {said.after!r}, found {len(right)} columns "
        f"({', '.join(right[:3])} ... {', '.join(right[-3:])}); name the classes in statements.columns"
    ]


def _near(name: str, header: Sequence[str]) -> str:
    near = get_close_matches(name, header, 1)
    return f" (was it renamed to {near[0]!r}?)" if near else ""
