"""Travel kept between runs: a file for each content of network, places and rules, whole or not there."""

import hashlib
import io
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from geodata.street_network import Measure, StreetNetwork
from geodata.street_words import DETOUR, SNAP_LIMIT_M
from geodata.travel_matrix import Snap, Travel, as_places, travel

FORMAT = "1"  # change it whenever the same inputs give other travel
MOST_MB = 500.0
_SHA256 = 32  # bytes
_DAY_S = 86_400.0
_FIELDS = ("amount", "by_straight_line", "segment_o", "share_o", "access_o", "segment_d", "share_d", "access_d")


def cache_folder() -> Path:
    """Return where travel is kept: ALLOT_CACHE where it is set, else the user's folder for caches."""
    asked = os.environ.get("ALLOT_CACHE")
    if asked:
        return Path(asked).expanduser() / "travel"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "allot" / "travel"


class TravelCache:
    """Travel looked up by the content of its inputs, in files of a folder.

    A file is written beside its place and moved there whole; one that is damaged counts as missing and is written
    anew. Where the folder cannot be used, travel is computed each time. The files used longest ago are removed when
    all together are above `most_mb`.
    """

    def __init__(self, folder: str | Path | None = None, most_mb: float = MOST_MB) -> None:
        self.folder = cache_folder() if folder is None else Path(folder)
        self.most_mb = most_mb
        self.hits = 0
        self.misses = 0

    def travel(
        self,
        network: StreetNetwork,
        origins: ArrayLike,
        destinations: ArrayLike,
        *,
        measure: Measure = "metres",
        limit: float = np.inf,
        snap_limit_m: float = SNAP_LIMIT_M,
        detour: float | None = DETOUR,
    ) -> Travel:
        """Return what `travel_matrix.travel` returns for the same arguments, from the folder where it is there."""
        start, goal = as_places(origins, "origins"), as_places(destinations, "destinations")
        rules = (FORMAT, measure, float(limit), float(snap_limit_m), None if detour is None else float(detour))
        whole = hashlib.sha256(f"{network.digest}{rules}{start.shape}{goal.shape}".encode())
        whole.update(start.tobytes() + goal.tobytes())
        file = self.folder / f"{whole.hexdigest()}.travel"
        found = _load(file, measure, limit, (len(start), len(goal)))
        if found is not None:
            self.hits += 1
            return found
        self.misses += 1
        found = travel(network, start, goal, measure=measure, limit=limit, snap_limit_m=snap_limit_m, detour=detour)
        with suppress(OSError):  # a cache that cannot be written is no reason to stop
            _save(file, found)
            self._tidy(file)
        return found

    def _tidy(self, keep: Path) -> None:
        """Remove the files used longest ago until all are within the size, but not the one just written."""
        for left in self.folder.glob(".unfinished-*"):  # of a process that was ended while it wrote
            if left.stat().st_mtime < time.time() - _DAY_S:
                left.unlink(missing_ok=True)
        files = [(path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.glob("*.travel")]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.most_mb * 1e6:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                total -= size


def _load(file: Path, measure: Measure, limit: float, shape: tuple[int, int]) -> Travel | None:
    """Travel of a file, which is the SHA-256 of the rest and then arrays; None where there is none or it is damaged."""
    try:
        whole = file.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(whole[_SHA256:]).digest() != whole[:_SHA256]:
        return None
    with np.load(io.BytesIO(whole[_SHA256:]), allow_pickle=False) as stored:
        amount, straight, *places = (stored[name] for name in _FIELDS)
    if amount.shape != shape or straight.shape != shape:
        return None
    with suppress(OSError):
        os.utime(file)
    return Travel(measure, limit, amount, straight, Snap(*places[:3]), Snap(*places[3:]))


def _save(file: Path, found: Travel) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    a, b = found.origins, found.destinations
    arrays = (found.amount, found.by_straight_line, a.segment, a.share, a.access_m, b.segment, b.share, b.access_m)
    named: dict[str, Any] = dict(zip(_FIELDS, arrays, strict=True))
    packed = io.BytesIO()
    np.savez_compressed(packed, **named)
    handle, name = tempfile.mkstemp(prefix=".unfinished-", dir=file.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(hashlib.sha256(packed.getvalue()).digest())
            out.write(packed.getvalue())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
