"""The one place where the input of a siting model is looked at: all mistakes at once, each with its remedy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optimizer.siting.errors import Finding, SitingInputError, listed
from optimizer.siting.result import Flags, Floats, Ints

FORBIDDEN = "use inf to forbid a pair"
LARGEST = 1e15
"""Larger numbers are no longer told apart from their neighbours when they are added up."""


class Checks:
    """Collects what is wrong with the input of one model; ``done`` raises it."""

    def __init__(self, cost: npt.ArrayLike, *, square: bool = False) -> None:
        self.findings: list[Finding] = []
        self._limited = False  # whether costs are only compared with a limit
        self._square = square
        self.cost = self._matrix(cost)
        self.clients, self.sites = self.cost.shape
        if square and self.clients != self.sites:
            self.say("not_square", f"distances have the shape {self.cost.shape}", remedy="give one row a site")

    def say(
        self, code: str, message: str, *, where: str = "", value: str = "", limit: str = "", remedy: str = ""
    ) -> None:
        """Note one finding."""
        self.findings.append(Finding(code, message, where, value, limit, remedy))

    def done(self) -> None:
        """Raise ``SitingInputError`` with all findings, if there are any."""
        if self.findings:
            raise SitingInputError(self.findings)

    def _matrix(self, cost: npt.ArrayLike) -> Floats:
        try:
            matrix = _floats(cost)
        except (TypeError, ValueError) as error:
            raise SitingInputError([Finding("not_numbers", f"the cost matrix is not numbers: {error}")]) from None
        if matrix.ndim != 2 or 0 in matrix.shape:
            what = f"the cost matrix has the shape {matrix.shape}"
            raise SitingInputError([Finding("empty", what, remedy="give clients × sites, at least one of each")])
        self._square &= matrix.shape[0] == matrix.shape[1]
        if self._square:
            np.fill_diagonal(matrix, 0.0)
        remedy = "give every distance between two sites" if self._square else FORBIDDEN
        self._cells("not_a_number", "not a number", matrix, np.isnan(matrix), remedy)
        self._cells("negative", "below 0", matrix, matrix < 0, "0 or more; " + remedy)
        if self._square:
            self._cells("infinite", "infinite", matrix, np.isinf(matrix), remedy)
        return matrix

    def _cells(self, code: str, said: str, matrix: Floats, wrong: Flags, remedy: str) -> None:
        """Name cells that are wrong; they are 0 from then on, so that nothing else is said of them."""
        rows, columns = np.nonzero(wrong)
        if rows.size:
            pairs = zip(rows[:12], columns[:12], strict=True)
            places = ", ".join(f"client {i}, site {j} ({matrix[i, j]:g})" for i, j in pairs)
            more = f" and {rows.size - 12} more" if rows.size > 12 else ""
            self.say(code, f"cost is {said}", where=places + more, remedy=remedy)
            matrix[wrong] = 0.0
            if self._square:
                matrix.T[wrong] = 0.0  # else a distance would not be the same both ways

    def numbers(
        self, name: str, given: npt.ArrayLike | None, default: float, size: int, *, infinite: bool = False
    ) -> Floats:
        """One number for each client or site (or one for all): not NaN, not negative, finite unless allowed."""
        kind = "client" if size == self.clients and name not in {"capacity", "fixed_cost"} else "site"
        try:
            array = np.broadcast_to(_floats(default if given is None else given), (size,)).copy()
        except (TypeError, ValueError):
            self.say(
                "shape",
                f"{name} is not one number a {kind}",
                limit=f"{size} {kind}s",
                remedy=f"give one number a {kind}, or one for all",
            )
            return np.full(size, default)
        for code, wrong, said in (
            ("not_a_number", np.isnan(array), "not a number"),
            ("negative", array < 0, "below 0"),
            ("infinite", np.isinf(array) & (array > 0) & (not infinite), "infinite"),
        ):
            if wrong.any():
                at = np.flatnonzero(wrong)
                where, message = listed(f"{kind} {i}" for i in at), f"{name} is {said}"
                if given is not None and np.ndim(given) == 0:
                    where, message = name, f"is {said}"
                self.say(code, message, where=where, value=f"{array[at[0]]:g}", limit="0 or more")
                array[at] = default
        self._not_too_large(name, array)
        return array

    def _not_too_large(self, name: str, array: Floats) -> None:
        """Numbers that are added up, and weight times cost, must stay where sums can be told apart."""
        most, remedy = f"at most {LARGEST:g}", "use a larger unit"
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(array.sum())
            if name in {"weights", "demand", "fixed_cost"} and total > LARGEST:
                self.say("too_large", "is too large in all", where=name, value=f"{total:g}", limit=most, remedy=remedy)
            if name != "weights" or self._limited:
                return
            products = array * self.cost.max(axis=1, where=np.isfinite(self.cost), initial=0.0)
        at = np.flatnonzero(products > LARGEST)
        if at.size and total <= LARGEST:
            clients = tuple(int(client) for client in at)
            where, value = f"client {listed(at)}", f"{products[at].max():g}"
            remedy += ", and " + FORBIDDEN
            message = "weight × cost is too large"
            self.findings.append(Finding("too_large", message, where, value, most, remedy, clients))

    def existing(self, given: Sequence[int] | npt.ArrayLike) -> Ints:
        """Indices of sites that are open whatever is decided."""
        try:
            raw = np.asarray(given)
        except ValueError:  # rows of different lengths
            raw = np.zeros((1, 1))
        if raw.size == 0:
            return np.zeros(0, np.int64)
        if raw.ndim != 1 or raw.dtype.kind not in "iu":
            remedy = "give one list of whole numbers"
            self.say("existing", "must be indices of sites", where="existing", value=f"{given!r:.60}", remedy=remedy)
            return np.zeros(0, np.int64)
        outside = raw[(raw < 0) | (raw >= self.sites)]
        if outside.size:
            self.say(
                "existing", "there is no such site", where=f"existing {listed(outside)}", limit=f"0 to {self.sites - 1}"
            )
        values, counts = np.unique(raw, return_counts=True)
        if (counts > 1).any():
            self.say("existing_twice", "is named twice", where=f"existing site {listed(values[counts > 1])}")
        inside: Ints = values[(values >= 0) & (values < self.sites)].astype(np.int64)
        return inside

    def count(self, p: object, existing: Ints, *, least: int = 1) -> int:
        """The number of sites to be open: whole, no more than there are, no fewer than stand already."""
        if isinstance(p, bool) or not isinstance(p, (int, np.integer)):
            self.say("p", "must be a whole number", where="p", value=repr(p))
            return least
        if p > self.sites:
            remedy = "ask for fewer or give more sites"
            limit = f"there are {self.sites}"
            self.say("p_too_large", "more than there are sites", where="p", value=str(p), limit=limit, remedy=remedy)
        if p < least:
            self.say("p_too_small", f"must be {least} or more", where="p", value=str(p))
        if least <= p < existing.size:
            remedy = f"p counts them too: ask for {existing.size} or more"
            limit = f"{existing.size} stand already"
            self.say("p_below_existing", "fewer than exist", where="p", value=str(p), limit=limit, remedy=remedy)
        return int(p)

    def limit(self, given: npt.ArrayLike | None) -> Floats:
        """The farthest a site may be (inclusive), one for all clients or one each."""
        self._limited = True
        if given is None:
            self.say("limit", "is missing", where="limit", remedy="say how far a site may be")
            return np.full(self.clients, np.inf)
        return self.numbers("limit", given, np.inf, self.clients, infinite=True)

    def search(self, time_limit: object, threads: object, seed: object) -> None:
        """The seconds, the threads and the seed of the search."""
        number = isinstance(time_limit, (int, float, np.integer, np.floating)) and not isinstance(time_limit, bool)
        if not number or not time_limit >= 0:  # type: ignore[operator]  # a number here; NaN is not
            said, remedy = "must be a number of seconds", "leave it out for no limit"
            self.say("time_limit", said, where="time_limit", value=repr(time_limit), limit="0 or more", remedy=remedy)
        for name, value, least, most in (("threads", threads, 1, 512), ("seed", seed, 0, 2**31 - 1)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not whole or not least <= value <= most:  # type: ignore[operator]  # a whole number here
                self.say(name, "must be a whole number", where=name, value=repr(value), limit=f"{least} to {most}")

    def reachable(self, allowed: Flags, remedy: str) -> None:
        """Every client must have a site that may serve it."""
        lost = np.flatnonzero(~allowed.any(axis=1))
        if lost.size:
            where = f"client {listed(lost)}"
            message = "no site can reach it" if lost.size == 1 else f"no site can reach these {lost.size} clients"
            clients = tuple(int(client) for client in lost)
            self.findings.append(Finding("unreachable_clients", message, where, remedy=remedy, clients=clients))

    def enough(self, demand: Floats, capacity: Floats, p: int | None = None, existing: Ints | None = None) -> None:
        """The capacity of all sites, or of the largest ``p`` with the existing ones, must hold the demand."""
        stands = np.zeros(0, np.int64) if existing is None else existing
        others = np.sort(np.delete(capacity, stands))[::-1]
        most = others if p is None else others[: max(0, p - stands.size)]
        room, need = float(capacity[stands].sum() + most.sum()), float(demand.sum())
        if room < need * (1 - 1e-12):
            which = "all sites" if p is None else f"the {p} largest sites"
            message = f"capacity of {which} is {room:g}, demand is {need:g}: {need - room:g} is missing"
            self.say("capacity_below_demand", message, remedy="add capacity or sites, or lower the demand")


def _floats(given: npt.ArrayLike) -> Floats:
    """A copy as floats; ``TypeError`` for complex numbers, dates and times, which would be bent to numbers."""
    array = np.asarray(given)
    bent = (complex, np.complexfloating, np.datetime64, np.timedelta64)
    if array.dtype.kind in "cmM" or (array.dtype.kind == "O" and any(isinstance(item, bent) for item in array.flat)):
        raise TypeError("complex numbers, dates and times are none")
    return np.array(array, float)
