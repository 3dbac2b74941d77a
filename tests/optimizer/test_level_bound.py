"""How high everybody can be raised: held down by money where rooms alone would allow much more."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.instances import write_instance
from benchmarks.joint_model import problem_of
from optimizer.fair import Fair
from optimizer.fit import achieved, keep_levels
from optimizer.joint import build_joint
from optimizer.levels import highest_aside
from optimizer.price_level import LEVEL_SETTLED, raise_level
from optimizer.price_plan import PricePlan, Settings
from optimizer.price_search import Search
from optimizer.problem_data import build_problem
from tests.optimizer.cases import case
from tests.optimizer.tiny import make_city, make_scenario, plan


def test_the_bound_of_the_level_is_what_money_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[float] = []
    monkeypatch.setattr("optimizer.price_level._reach", lambda _, __, top, *___: found.append(top))
    path = write_instance(tmp_path, communities=60, seed=7)
    method = PricePlan(Fair.of(build_joint(problem_of(str(path)))), Settings(threads=1), lambda: False, lambda *_: None)
    raise_level(method, method.relaxed())
    # A plan with 0.709 is known, and without any limit of money 0.94 could be reached.
    assert 0.709 < found[0] < 0.75


def test_a_level_that_is_a_millionth_too_high_is_kept_as_well_as_can_be() -> None:
    """A search in whole numbers keeps its rows to a millionth, and so may say that a level is reached by so little."""
    found = plan(*case("work_funds"))
    fair, worst = Fair.of(found.joint), found.worst
    asked = replace(found.found.levels, common=worst + 1e-6)
    x, kept = keep_levels(fair, asked, found.found.x)
    assert kept.common == pytest.approx(worst, abs=1e-6)
    assert achieved(found.joint, x).min() == pytest.approx(worst, abs=2e-6)
    with pytest.raises(ValueError, match="cannot be paid"):
        keep_levels(fair, replace(asked, common=worst + 1e-4), found.found.x)


def test_the_better_bound_of_two_searches_at_one_level_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finer search is made to say that a point of the level costs another amount, so that it bounds it worse."""
    found, proven, tried = list[float](), list[float](), list[float]()
    search, improve = PricePlan.search, Search.improve

    def searched(self: PricePlan, goal: Any, levels: Any, *more: Any) -> Search:
        tried.append(0.0 if levels is None else levels.common)
        return search(self, goal, levels, *more)

    def improved(self: Search, *, least: float = 1e-9, **how: Any) -> float:
        value = improve(self, least=least, **how)
        if least == 2.5 * LEVEL_SETTLED:
            self.level_price *= 1e6 if self.bound > 0 else 1e-6
        if least in (5 * LEVEL_SETTLED, 2.5 * LEVEL_SETTLED):
            proven.append(tried[-1] - self.bound / self.level_price)
        return value

    monkeypatch.setattr("optimizer.price_level._likely", lambda _, __, ___, level, prices: (np.inf, level, prices))
    monkeypatch.setattr("optimizer.price_level._reach", lambda _, __, top, *___: found.append(top))
    monkeypatch.setattr(PricePlan, "search", searched)
    monkeypatch.setattr(Search, "improve", improved)
    path = write_instance(tmp_path, communities=60, seed=7)
    method = PricePlan(Fair.of(build_joint(problem_of(str(path)))), Settings(threads=1), lambda: False, lambda *_: None)
    raise_level(method, method.relaxed())
    assert found[0] <= min(proven)


def test_no_more_than_fifteen_in_a_hundred_are_below_the_highest_level_for_which_anybody_is_set_aside() -> None:
    problem = build_problem(*case("own_services"))
    for n in (1, 2, 6, 7, 13, 14, 20, 100, 396):
        best = np.arange(n, dtype=float)
        many = replace(problem, weight=np.ones((n, 1)), need=np.ones((n, 1, 1)))
        below = int((best < highest_aside(many, best)).sum())
        assert below <= 0.15 * n < below + 1


@pytest.mark.parametrize("method", ["whole", "prices"])
@pytest.mark.parametrize(
    ("everybody", "far", "aside", "level"),
    [
        ("abcdefg", "bcd", 0, 0.5),
        ("abcdefg", "cd", 0, 0.5),
        ("abcdefg", "d", 1, 1.0),
        ("abcd", "d", 0, 0.5),
        ("ab", "b", 0, 0.5),
    ],
)
def test_a_few_are_set_aside_at_most(method: str, everybody: str, far: str, aside: int, level: float) -> None:
    """The clinic is too far for some: were three of seven set aside, the level would be that of the others."""
    near = "".join(name for name in everybody if name not in far)
    city = make_city(
        [{"community": name, "office": 300} for name in everybody],
        sites=[
            {"site": f"s{name}", "community": name, "use": "station", "area_m2": 1000} for name in near
        ],
        needs=[(name, service, 100.0, 100.0) for name in everybody for service in ("clinic", "desk")],
    )  # fmt: skip
    services = {
        "clinic": {"siting": "network", "unit": "visits", "limit_m": 500, "min_capacity": 0},
        "desk": {"siting": "own", "unit": "cases", "capital_yuan_per_unit": 10},
    }
    programmes = {"space": {"target_m2": 0}, "services": services}
    found = plan(city, make_scenario(programmes=programmes, solver={"method": method})).found
    assert int((~np.isneginf(found.levels.floor)).sum()) == aside
    assert found.reached["worst_off"] == pytest.approx(level, abs=0.01)
    floors = found.levels.floor[~np.isneginf(found.levels.floor)]
    assert floors == pytest.approx(np.full(aside, 0.9 * 0.5), abs=0.006)  # nine tenths of what it can reach


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_one_of_eight_is_set_aside_and_the_next_holds_the_level_down(method: str) -> None:
    """Of three needs d can have one and c two, whatever the money; 15 % of eight are one."""
    everybody = "abcdefgh"
    station = {"use": "station", "area_m2": 1000}
    sites = [{**station, "site": f"s{name}", "community": name} for name in "abefgh"]
    sites.append({**station, "site": "sc", "community": "c", "services": "post"})
    city = make_city(
        [{"community": name, "office": 300} for name in everybody],
        sites=sites,
        needs=[(name, service, 100.0, 100.0) for name in everybody for service in ("clinic", "post", "desk")],
    )
    network = {"siting": "network", "unit": "visits", "limit_m": 500, "min_capacity": 0}
    services = {"clinic": network, "post": network, "desk": {"siting": "own", "unit": "cases"}}
    programmes = {"space": {"target_m2": 0}, "services": services}
    found = plan(city, make_scenario(programmes=programmes, solver={"method": method})).found
    assert np.flatnonzero(~np.isneginf(found.levels.floor)).tolist() == [3]
    assert found.reached["worst_off"] == pytest.approx(2 / 3, abs=0.01)
    assert found.bounds["worst_off"] == pytest.approx(2 / 3, abs=0.01)
