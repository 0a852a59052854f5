"""How much of its training split a run learns from: a share of the patients, or so many records of each class.

Everywhere these are two numbers side by side, `fraction` and `per_class`, of which exactly one is above 0.
"""

AMOUNT = ("fraction", "per_class")
Amount = tuple[float, int]
ALL: Amount = (1.0, 0)


def amount_word(fraction: float, per_class: int) -> str:
    """As part of a path: `f0.1` for a tenth of the patients, `n20` for 20 records of each class."""
    return f"n{per_class}" if per_class else f"f{fraction:g}"


def one_amount(fraction: float, per_class: int) -> None:
    """Raise ValueError unless exactly one of the two is above 0."""
    if (fraction > 0) == (per_class > 0):
        raise ValueError(f"fraction is {fraction:g} and per_class {per_class}; one of them is above 0, the other is 0")
