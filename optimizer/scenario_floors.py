"""Floors and ceilings of one source that contradict each other or its money, equation (22), told without any city."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Protocol

MOST_TOGETHER = 12
"""Floors of a source of which every set is looked at; of more, only pairs are."""


class _Limit(Protocol):
    @property
    def purposes(self) -> Sequence[str]: ...
    @property
    def districts(self) -> Sequence[str]: ...
    @property
    def for_each(self) -> str: ...
    @property
    def by_community(self) -> bool: ...
    @property
    def at_least_yuan(self) -> float | None: ...
    @property
    def at_most_yuan(self) -> float | None: ...
    @property
    def at_least_share(self) -> float | None: ...
    @property
    def at_most_share(self) -> float | None: ...
    def range_yuan(self, new_yuan: float) -> tuple[float, float]: ...


class _Source(Protocol):
    @property
    def purposes(self) -> Sequence[str]: ...
    @property
    def ceiling_share(self) -> Mapping[Any, float]: ...
    @property
    def limits(self) -> Sequence[_Limit]: ...
    def carry_limit(self, free_yuan: float) -> float: ...


def most_yuan(source: _Source, free: Sequence[int]) -> list[float]:
    """Most that a source can have in each year: what is free of its new money, and what may be carried into it."""
    reserve = [0.0, *(source.carry_limit(value) for value in free[:-1])]
    return [money + kept for money, kept in zip(free, reserve, strict=True)]


def floor_contradictions(name: str, source: _Source, years: Sequence[int], free: Sequence[int]) -> Iterator[str]:
    """Yield what no plan can keep, each as `dotted.path: message` with the first year in which it shows.

    `free` is the new money of each year that is not spoken for.
    """
    at, most, limits = f"sources.{name}.limits", most_yuan(source, free), list(source.limits or [])
    broken = set()
    for number, limit in enumerate(limits):
        if _says_it_itself(limit):
            broken.add(number)
            continue
        said = _first(years, lambda t, limit=limit: _alone(source, limit, free[t], most[t]))  # type: ignore[misc]
        if said:
            broken.add(number)
            yield f"{at}.{number}: {said}"
    sound = [n for n in range(len(limits)) if n not in broken]
    for a in sound:
        for b in sound:
            if a != b and _within(source, limits[a], limits[b]):
                said = _first(years, lambda t, a=a, b=b: _above(limits[a], limits[b], b, free[t]))  # type: ignore[misc]
                if said:
                    broken.add(a)
                    yield f"{at}.{a}: {said}"
    yield from _together(at, source, [n for n in sound if n not in broken], years, (free, most))


def _says_it_itself(limit: _Limit) -> bool:
    """Whether floor and ceiling contradict each other as they are written, which the limit itself says."""
    pairs = ((limit.at_least_yuan, limit.at_most_yuan), (limit.at_least_share, limit.at_most_share))
    return any(low is not None and high is not None and low > high for low, high in pairs)


def _first(years: Sequence[int], said: Callable[[int], str]) -> str:
    """What is said of the first year of which anything is, with the year in it."""
    return next((text.replace("{year}", str(year)) for t, year in enumerate(years) if (text := said(t))), "")


def _alone(source: _Source, limit: _Limit, free: float, most: float) -> str:
    low, high = limit.range_yuan(free)
    shares = [source.ceiling_share.get(purpose, 1.0) * free for purpose in limit.purposes or source.purposes]
    floor = f"the floor of {low:,.0f} yuan in {{year}} is above"
    if low > high:
        return f"{floor} its ceiling of {high:,.0f}; lower the floor or raise the ceiling"
    if low > most:
        return f"{floor} the {most:,.0f} yuan that the source can have; lower it or raise the amount"
    if source.ceiling_share and low > sum(shares):
        return f"{floor} ceiling_share, {sum(shares):,.0f}; lower the floor or raise ceiling_share"
    return ""


def _within(source: _Source, inner: _Limit, outer: _Limit) -> bool:
    """Whether all that counts for one limit, in one place at least, counts for another that holds for all together."""
    if outer.by_community or outer.for_each != "source":
        return False
    here, there = (set(limit.purposes or source.purposes) for limit in (inner, outer))
    in_district = not outer.districts or (bool(inner.districts) and set(inner.districts) <= set(outer.districts))
    return here <= there and in_district


def _above(inner: _Limit, outer: _Limit, number: int, free: float) -> str:
    low, high = inner.range_yuan(free)[0], outer.range_yuan(free)[1]
    if low <= high:
        return ""
    return (
        f"the floor of {low:,.0f} yuan in {{year}} is above the ceiling of {high:,.0f} under limits.{number}, "
        "which counts the same money; lower the floor or raise that ceiling"
    )


def _together(
    at: str,
    source: _Source,
    numbers: Sequence[int],
    years: Sequence[int],
    money: tuple[Sequence[float], Sequence[float]],
) -> Iterator[str]:
    """Floors that no payment counts for twice, and that together are above the money: the fewest that are, once."""
    limits, (free, most) = list(source.limits or []), money
    floors = [n for n in numbers if any(limits[n].range_yuan(value)[0] > 0 for value in free)]
    for size in range(2, (len(floors) if len(floors) <= MOST_TOGETHER else 2) + 1):
        for chosen in combinations(floors, size):
            if not all(_apart(source, limits[a], limits[b]) for a, b in combinations(chosen, 2)):
                continue
            for t, year in enumerate(years):
                due = sum(limits[n].range_yuan(free[t])[0] for n in chosen)
                if due > most[t]:
                    names = ", ".join(f"limits.{n}" for n in chosen)
                    yield (
                        f"{at}.{chosen[-1]}: the floors of {names} are {due:,.0f} yuan together in {year}, above the "
                        f"{most[t]:,.0f} yuan that the source can have; lower them or raise the amount"
                    )
                    return


def _apart(source: _Source, one: _Limit, other: _Limit) -> bool:
    """Whether no payment counts for both."""
    if not set(one.purposes or source.purposes) & set(other.purposes or source.purposes):
        return True
    return bool(one.districts and other.districts) and not set(one.districts) & set(other.districts)
