"""How far a value could be from the best there is, as a part of it."""

NO_GAP = 1e-6
"""A value so close to its bound, in the unit of its goal, is at it: figures have six decimals. Where nothing is left
unmet, these would make a gap of 100 %."""


def gap_of(value: float, bound: float) -> float:
    """Return the gap, |value − bound| / |value|; none where the two are the same (`NO_GAP`)."""
    apart = abs(value - bound)
    return 0.0 if apart <= NO_GAP else apart / max(1e-9, abs(value))
