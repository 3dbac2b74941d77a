"""Plans that cannot be paid in whole units as they are: what is given up, and what is said where nothing helps."""

import math
from threading import Event

import numpy as np
import pytest

from geodata.city import City
from optimizer.answers import answer
from optimizer.joint import build_joint
from optimizer.ledger import MoneyShortError
from optimizer.problem_data import build_problem
from optimizer.progress import Silent
from optimizer.run_write import footed
from optimizer.scenario import Scenario
from optimizer.search import find_plan
from optimizer.watch import Watch
from tests.optimizer.tiny import Row, make_city, make_scenario, plan

HALVES: list[Row] = [
    {"site": site, "community": community, "use": "extension", "area_m2": 50, "min_area_m2": 50, "fixed_yuan": 1000.5}
    for site, community in (("ea", "a"), ("eb", "b"))
]


@pytest.mark.parametrize("yuan", [2001, 2002])
def test_the_smallest_decision_is_given_up_where_halves_of_a_yuan_lack(yuan: int) -> None:
    """Two rooms at 1,000.5 yuan are 2,002 in whole yuan; b has more people."""
    city = make_city([{"community": "a"}, {"community": "b", "population": 2000}], sites=HALVES)
    scenario = make_scenario(
        programmes={"space": {"target_m2": 150}}, sources={"city": {"role": "city", "amount_yuan": yuan}}
    )
    joint = build_joint(build_problem(city, scenario))
    found = find_plan(joint, Watch(Silent(), Event(), math.inf))
    near = np.ones(joint.n_columns, dtype=bool)
    found.compare(joint, near)
    same = found.different
    tables, ledger, sources = footed(joint, found)
    assert tables.space["site"].tolist() == (["eb"] if yuan == 2001 else ["ea", "eb"])
    assert int(ledger["yuan"].sum()) == int(sources["spent_yuan"].sum()) == (1001 if yuan == 2001 else 2002)
    assert same is not None
    assert found.different == same + (yuan == 2001)  # counted of the plan that is written


WEST: Row = {"community": "a", "district": "west"}
FLOOR: Row = {"role": "city", "amount_yuan": 20_000, "limits": [{"purposes": ["work_funds"], "at_least_yuan": 70}]}


def in_thousands(west_yuan: int, **city: object) -> tuple[City, Scenario]:
    """The city must pay work funds of 1,000 or more, and the district a quarter of that beside it, in thousands."""
    return make_city([WEST]), make_scenario(
        programmes={"work_funds": {"floor_yuan": 5000}},
        sources={
            "city": {**FLOOR, **city},
            "west": {"role": "district", "districts": ["west"], "amount_yuan": west_yuan},
        },
        co_funding=[{"purpose": "work_funds", "of": "city", "ratio": 0.25}],
        currency={"unit_yuan": 1000},
    )


def test_why_nothing_can_be_paid_in_whole_units_is_said() -> None:
    joint = build_joint(build_problem(*in_thousands(400)))
    found = find_plan(joint, Watch(Silent(), Event(), math.inf))  # in yuan there is a plan
    with pytest.raises(MoneyShortError) as caught:
        footed(joint, found)
    assert answer(caught.value).lines == (
        "No plan in whole units of 1,000 yuan keeps these wishes together:",
        "  every district pays its part of work funds beside City (co_funding.0.ratio)",
        "  West pays no more than it has (sources.west.amount_yuan)",
        "  City spends its floor (sources.city.limits.0)",
        "Ways out, each of them by itself:",
        "  lower co_funding.0.ratio",
        "  give West more: 600 yuan more at the least",
        "  lower the floor sources.city.limits.0: 1,000 yuan less at the least",
        "Smaller units (currency.unit_yuan) leave more room.",
    )
    assert plan(*in_thousands(1000)).grants() == {("a", 2020): 5000}
