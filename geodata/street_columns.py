"""Columns of a street file turned into numbers: length, one-way, class, speed, bridge; bad cells are reported."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.findings import Finding, did_you_mean, listed
from geodata.street_words import ALIASES, MOST_KMH, as_bridge, as_direction, as_length, as_speed, first_word
from geodata.values import is_missing

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StreetColumns:
    """What a file says of each street: all arrays have one entry a row; NaN where a number is not given.

    `direction` is 1 where only the direction of drawing is allowed, -1 where only the other, 0 where both are.
    """

    names: tuple[str, ...]
    length_m: Floats
    direction: NDArray[np.int8]
    street_class: tuple[str, ...]
    speed_kmh: Floats
    bridge: NDArray[np.bool_]


class Cells:
    """Reads the columns of one table and gathers what is wrong with their cells."""

    def __init__(self, frame: pd.DataFrame, file: str, columns: Mapping[str, str] | None = None) -> None:
        self.frame, self.file = frame, file
        self.findings: list[Finding] = []
        self.given: dict[str, str] = {}
        present = [str(name) for name in frame.columns]
        for ours, theirs in (columns or {}).items():
            if ours not in ALIASES:
                self.note(None, "", f"streets have no column {ours!r}", remedy=did_you_mean(ours, ALIASES))
            elif theirs not in present:
                remedy = did_you_mean(theirs, present) or f"columns in the file are {listed(present, 20)}"
                self.note(None, "", f"the file has no column {theirs!r} for {ours}", remedy=remedy)
        for ours, names in ALIASES.items():
            asked = (columns or {}).get(ours)
            found = [asked] if asked in present else [n for n in names if n in present] if asked is None else []
            if found:
                self.given[ours] = str(found[0])

    def note(
        self, row: int | None, column: str, message: str, *, value: object = "", limit: str = "", remedy: str = ""
    ) -> None:
        """Gather an error about a data row (from 0; None: about the table)."""
        place = None if row is None else row + 1
        name = self.given.get(column, column)
        self.findings.append(
            Finding("error", self.file, "streets", place, "", name, str(value)[:60], limit, remedy, message)
        )

    def read(self) -> StreetColumns:
        """Return all columns; bad cells are as if empty and are in `findings`."""
        n = len(self.frame)
        names = self._texts("street")
        return StreetColumns(
            tuple(name or str(row + 1) for row, name in enumerate(names)),
            self._each("length_m", as_length, "0 or more metres", "give metres, or leave it empty"),
            self._each(
                "one_way", as_direction, "yes, no or -1", "yes: in the direction of drawing; -1: against it"
            ).astype(np.int8),
            tuple(first_word(text).casefold() for text in self._texts("class")) if n else (),
            self._each("speed_kmh", as_speed, f"above 0, at most {MOST_KMH:g} km/h", "give km/h, or leave it empty"),
            self._each("bridge", as_bridge, "yes or no", "yes: crosses barriers").astype(bool),
        )

    def _texts(self, column: str) -> list[str]:
        if column not in self.given:
            return [""] * len(self.frame)
        return ["" if is_missing(v) else str(v).strip() for v in self.frame[self.given[column]]]

    def _each(self, column: str, turn: Callable[[object], float], limit: str, remedy: str) -> Floats:
        """Every cell turned into a number; those that cannot be are reported and count as empty."""
        empty = turn("")
        out = np.full(len(self.frame), empty)
        if column not in self.given:
            return out
        for row, value in enumerate(self.frame[self.given[column]]):
            try:
                out[row] = turn("" if is_missing(value) else value)
            except ValueError as error:
                self.note(row, column, str(error), value=value, limit=limit, remedy=remedy)
        return out
