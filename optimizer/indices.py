"""Indices of inequality of a distribution: Gini, Atkinson and Theil. All 0 where everybody has the same.

Sources: Gini 1912; Atkinson 1970, On the measurement of inequality; Theil 1967, Economics and information theory.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def gini(values: "Floats", weights: "Floats | None" = None) -> float:
    """Return the Gini index, equation (27): mean difference of two people, over twice the mean; 0 where all is 0.

    `values` (n,) are not negative; `weights` (n,) are people behind each, 1 where not given.
    """
    x, w = _checked(values, weights)
    total = float(w @ x)
    if total <= 0:
        return 0.0
    order = np.argsort(x, kind="stable")
    x, w = x[order], w[order]
    below = np.cumsum(w) - w
    above = w.sum() - below - w
    return max(0.0, float((w * (below - above)) @ x / (w.sum() * total)))


def equally_distributed(values: "Floats", epsilon: float, weights: "Floats | None" = None) -> float:
    """Return the equally distributed equivalent: what everybody could have alike and be as well off, equation (28).

    The mean of order 1 - `epsilon`; the geometric mean at 1. From 1 on it is 0 where somebody has nothing.
    """
    x, w = _checked(values, weights)
    if not len(x) or not x.any() or (epsilon >= 1 and (x[w > 0] <= 0).any()):
        return 0.0
    share, most = w / w.sum(), float(x.max())
    x = x / most  # powers of figures near 1 neither vanish nor overflow
    if abs(epsilon - 1) < 1e-12:
        return most * float(np.exp(share[w > 0] @ np.log(x[w > 0])))
    with np.errstate(over="ignore"):  # next to nothing is nothing
        return most * float((share[w > 0] @ x[w > 0] ** (1 - epsilon)) ** (1 / (1 - epsilon)))


def atkinson(values: "Floats", epsilon: float, weights: "Floats | None" = None) -> float:
    """Return the Atkinson index, equation (28): the part of the mean that equality could do without; 0 where all is 0.

    `epsilon` above 0 is the aversion to inequality.
    """
    x, w = _checked(values, weights)
    total = float(w @ x)
    if total <= 0:
        return 0.0
    return float(np.clip(1 - equally_distributed(x, epsilon, w) * w.sum() / total, 0.0, 1.0))


def theil(values: "Floats", weights: "Floats | None" = None) -> float:
    """Return the Theil index T, equation (29): 0 to log n; who has nothing adds nothing."""
    x, w = _checked(values, weights)
    total = float(w @ x)
    if total <= 0:
        return 0.0
    share = x[x > 0] * w.sum() / total
    return max(0.0, float((w[x > 0] / w.sum()) @ (share * np.log(share))))


def _checked(values: "Floats", weights: "Floats | None") -> "tuple[Floats, Floats]":
    x = np.asarray(values, dtype=float)
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=float)
    if x.shape != w.shape or (x < 0).any() or (w < 0).any():
        raise ValueError("values and weights have one length and are not negative")
    return x, w
