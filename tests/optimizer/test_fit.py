"""Plans fitted again with their decisions: what is held back for rounding costs the later goals nothing."""

import pytest

from optimizer.fair import Fair
from optimizer.fit import achieved, hold_back
from optimizer.goals import goal_of, value_of
from tests.optimizer.tiny import GOALS, Row, make_city, make_scenario, plan

SEAT: Row = {"siting": "network", "limit_m": 5000, "within": "city", "unit": "seats"}


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_money_held_back_leaves_travel_and_spending_as_they_are(first: str, second: str) -> None:
    """Both stations can serve both communities; everybody at home is no travel at all."""
    stations = [
        {"facility": f"f{n}", "community": c, "service": "seat", "level": "station", "capacity": 200}
        for n, c in enumerate((first, second))
    ]
    city = make_city(
        [{"community": "a"}, {"community": "b"}],
        facilities=stations,
        needs=[("a", "seat", 100), ("b", "seat", 100)],
    )
    made = plan(city, make_scenario(programmes={"services": {"seat": SEAT}}))
    goals = [goal_of(made.joint, name) for name in GOALS[1:]]
    assert made.value("travel") == pytest.approx(0, abs=1e-6)
    held = hold_back(Fair(made.joint), made.found.levels, made.found.x, 100.0, goals)
    assert held is not None
    for goal in goals:
        assert achieved(made.joint, held).min() >= achieved(made.joint, made.found.x).min() - 1e-6
        assert value_of(goal, held) == pytest.approx(value_of(goal, made.found.x), abs=1e-4)
