"""What is odd about a street network, and about the places on it: parts, one-way traps, places far from any street."""

from collections.abc import Sequence

import numpy as np

from geodata.findings import Finding, listed
from geodata.street_network import StreetNetwork
from geodata.travel_matrix import Snap, Travel


def check_network(network: StreetNetwork) -> list[Finding]:
    """Return warnings about the network itself, with those made while it was built.

    Named are the parts that do not connect, with their sizes, and junctions that can be left or entered only (which
    one-way streets drawn in the wrong direction cause).
    """
    found = list(network.findings)
    size = np.bincount(network.part)
    if len(size) > 1:
        metres = np.bincount(network.part[network.tail], weights=network.length_m, minlength=len(size))
        parts = [f"{n:,} junctions ({m / 1000:,.1f} km)" for n, m in zip(size, metres, strict=True)]
        said = f"{len(size) - 1:,} parts not connected with the largest of {parts[0]}: {listed(parts[1:], 5)}"
        found.append(Finding("warning", "", "streets", message=said, remedy="let lines that meet share a vertex"))
    caught = (network.part == 0) & (network.round_trip != 0)
    if caught.any():
        at = np.isin(network.tail, np.flatnonzero(caught)) | np.isin(network.head, np.flatnonzero(caught))
        names = sorted({network.names[k] for k in network.street[at].tolist()})
        said = f"{int(caught.sum()):,} junctions can be entered or left only, on streets {listed(names, 5)}"
        found.append(Finding("warning", "", "streets", None, "", "one_way", "", "", "check directions", said))
    return found


def check_places(network: StreetNetwork, at: Snap, names: Sequence[str], layer: str, limit_m: float) -> list[Finding]:
    """Return a warning for every place that is too far from the network, or on a small part of it.

    `at` says where the places meet the network (`travel_matrix.snap` with `limit_m`), `names` (n) are theirs and
    `layer` the table they are from. Travel to and from the places named is by straight line.
    """
    found = []
    part = np.where(at.segment >= 0, network.part[network.tail[at.segment]], -1)
    limit = f"within {limit_m:,.0f} m"
    for i in np.flatnonzero(part < 0).tolist():
        said, remedy = f"has no street {limit}", "move it, or add the street that leads there"
        found.append(Finding("warning", "", layer, i + 1, names[i], "geometry", "", limit, remedy, said))
    size = np.bincount(network.part)
    for i in np.flatnonzero(part > 0).tolist():
        said = f"is on a part of {size[part[i]]:,} junctions that is not connected with the largest"
        remedy = "let lines that meet share a vertex"
        found.append(Finding("warning", "", layer, i + 1, names[i], "geometry", "", "", remedy, said))
    return found


def travel_said(travel: Travel) -> str:
    """Return in one line how travel was found: pairs along the streets, by straight line, and without a way."""
    amount, straight = travel.amount, travel.by_straight_line
    none, guessed = int(np.isinf(amount).sum()), int(straight.sum())
    return (
        f"{amount.size - none - guessed:,} of {amount.size:,} pairs along the streets, {guessed:,} by straight line, "
        f"{none:,} beyond the limit or without a way"
    )
