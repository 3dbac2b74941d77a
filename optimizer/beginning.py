"""What a search by prices leaves behind: prices and decisions that the search for a like plan can begin with.

A plan that differs in an amount or a weight needs other prices and other stations, but not many: begun with those of
its neighbour, its search saves the rounds that only find where to look. What it proves, it proves anew.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
FILE = "search.npz"
"""Its file in a run folder."""
FREE, RAISED, NEAR, KEPT = "free", "raised", "near", "kept"
"""Stages: the second goal without levels, how high a level money allows, a level just below it, the level kept."""


@dataclass
class Beginning:
    """Prices, corrections and decisions of a search, by stage.

    `prices` and `extra_use` have a number for every coupling row of `rows`, `plans` a yes or no for every such column
    of `columns`; `level` is the bound of the common level, not a number where none was sought.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    level: float = np.nan
    prices: dict[str, Floats] = field(default_factory=dict)
    extra_use: dict[str, Floats] = field(default_factory=dict)
    plans: dict[str, Bools] = field(default_factory=dict)

    def copy(self) -> "Beginning":
        """Return a copy to which more can be noted."""
        return replace(self, prices=dict(self.prices), extra_use=dict(self.extra_use), plans=dict(self.plans))

    def write(self, folder: Path) -> None:
        """Write the file into a run folder."""
        arrays: dict[str, np.ndarray] = {"rows": np.array(self.rows), "columns": np.array(self.columns)}
        arrays["level"] = np.array(self.level)
        for kind in ("prices", "extra_use", "plans"):
            arrays |= {f"{kind}_{stage}": value for stage, value in getattr(self, kind).items()}
        np.savez_compressed(folder / FILE, **arrays)  # type: ignore[arg-type]

    def fitted(self, rows: tuple[str, ...], columns: tuple[str, ...]) -> "Beginning | None":
        """Return the same for a model with these rows and columns: by name, nothing decided where a name is new.

        None where its money is not divided alike, so that prices would mean nothing.
        """
        if rows != self.rows:
            return None
        if columns == self.columns:
            return self
        known = {name: number for number, name in enumerate(self.columns)}
        at = np.array([known.get(name, -1) for name in columns], dtype=np.int64)
        plans = {stage: (at >= 0) & plan[at] for stage, plan in self.plans.items()}
        return replace(self, columns=columns, plans=plans)


def read_beginning(folder: Path) -> Beginning | None:
    """Return what the search of a run left, None where it left nothing or the file cannot be read."""
    try:
        with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            kinds: dict[str, dict[str, np.ndarray]] = {"prices": {}, "extra_use": {}, "plans": {}}
            for name in arrays.files:
                kind, _, stage = name.rpartition("_")
                if kind in kinds:
                    kinds[kind][stage] = arrays[name]
            rows, columns = (tuple(arrays[name].tolist()) for name in ("rows", "columns"))
            return Beginning(rows, columns, float(arrays["level"]), **kinds)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
