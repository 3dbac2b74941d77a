"""What must hold for every city: tried on random tiny ones."""

import random
from dataclasses import fields
from math import inf
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from optimizer.coupling import Levels
from optimizer.fair import Fair
from optimizer.fit import achieved, raising_arrays
from optimizer.goals import value_of
from optimizer.highs import solve
from optimizer.highs_arrays import Options
from optimizer.joint import Joint, build_joint
from optimizer.levels import no_levels
from optimizer.price_plan import Infeasible
from optimizer.problem import Rows
from optimizer.problem_data import build_problem
from optimizer.programmes import build_model
from optimizer.progress import Silent
from optimizer.search import find_plan
from optimizer.watch import Watch
from optimizer.whole_plan import WholePlan
from tests.optimizer.tiny import Row, make_city, make_scenario

EXACT = Options(gap=0.0, absolute_gap=1e-9)
# A failing city is tiny as it is: searching for a still smaller one takes minutes and is left out.
few = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)


def hundreds(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high).map(lambda n: 100 * n)


@st.composite
def cities(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `make_city`: two to four communities, up to two rooms, a hall, a station building, what exists."""
    count = draw(st.integers(2, 4))
    ids = [f"c{n}" for n in range(count)]
    communities = [
        {
            "community": name,
            "office": draw(st.integers(0, 4)) * 50,
            "population": draw(hundreds(1, 30)),
            "type": draw(st.sampled_from(["plain", "needy"])),
            "district": draw(st.sampled_from(["east", "east", "west"])),
        }
        for name in ids
    ]
    for row in communities:
        row["sub_district"] = row["district"] + draw(st.sampled_from(["1", "1", "2"]))
    where = st.sampled_from(ids)
    sites: list[Row] = [
        {
            "site": f"e{n}",
            "community": draw(where),
            "use": "extension",
            "area_m2": 100,
            "min_area_m2": draw(st.sampled_from([0, 40])),
            "fixed_yuan": draw(hundreds(0, 20)),
            "capital_yuan_per_m2": draw(st.integers(10, 80)),
            "yearly_yuan_per_m2": draw(st.integers(0, 9)),
            "lead_years": draw(st.integers(0, 1)),
        }
        for n in range(draw(st.integers(0, 2)))
    ]
    sites += [
        {
            "site": f"st{n}",
            "community": draw(where),
            "use": "station",
            "area_m2": draw(st.integers(20, 80)),
            "fixed_yuan": draw(hundreds(0, 20)),
            "capital_yuan_per_m2": draw(st.integers(10, 80)),
        }
        for n in range(draw(st.integers(1, 2)))
    ]
    if draw(st.booleans()):
        sites.append(
            {
                "site": "h",
                "community": draw(where),
                "use": "hall",
                "instrument": "share",
                "area_m2": 80,
                "yearly_yuan_per_m2": 5,
            }
        )
    facilities = [
        {
            "facility": f"f{n}",
            "community": draw(where),
            "service": draw(st.sampled_from(["clinic", "desk"])),
            "capacity": draw(st.integers(0, 200)),
            "running_yuan": 300,
        }
        for n in range(draw(st.integers(0, 2)))
    ]
    needs = [
        (name, k, draw(st.integers(0, 300)), draw(st.integers(1, 300))) for name in ids for k in ("clinic", "desk")
    ]
    return {"communities": communities, "sites": sites, "facilities": facilities, "needs": needs}


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `make_scenario`: one or two years, every programme, two or three sources, money scarce."""
    years = draw(st.integers(1, 2))
    clinic = {
        "siting": "network",
        "limit_m": draw(st.sampled_from([1300, 2600])),
        "within": draw(st.sampled_from(["sub_district", "district", "city"])),
        "fixed_yuan": draw(hundreds(0, 20)),
        "capital_yuan_per_unit": draw(st.integers(1, 20)),
        "running_yuan": 500,
        "area_m2_per_unit": 0.1,
        "min_capacity": draw(st.sampled_from([0, 60])),
        "max_capacity": 400,
    }
    desk = {
        "siting": "own",
        "fixed_yuan": draw(hundreds(0, 10)),
        "capital_yuan_per_unit": draw(st.integers(1, 20)),
        "area_m2_per_unit": 0.2,
    }
    sources: dict[str, Any] = {
        "city": {
            "role": "city",
            "amount_yuan": [2000 + draw(hundreds(0, 300)) for _ in range(years)],
            "carry_limit_share": 0.5,
        },
        "east": {"role": "district", "districts": ["east"], "amount_yuan": draw(hundreds(0, 50))},
        "west": {"role": "district", "districts": ["west"], "amount_yuan": draw(hundreds(0, 50))},
    }
    if draw(st.booleans()):
        sources["gift"] = {"role": "donor", "types": ["needy"], "amount_yuan": draw(hundreds(0, 50))}
    changes: dict[str, Any] = {
        "horizon": {"years": years, "discount": 0.25},
        "programmes": {
            "work_funds": {"floor_yuan": draw(hundreds(10, 60))},
            "space": {"target_m2": 200},
            "services": {"clinic": clinic, "desk": desk},
        },
        "sources": sources,
    }
    if draw(st.booleans()):
        changes["co_funding"] = [{"purpose": "work_funds", "of": "city", "ratio": 0.2}]
    return changes


def joint_of(city: dict[str, Any], changes: dict[str, Any]) -> Joint:
    # A district's finance exists where the district does.
    known = {row["district"] for row in city["communities"]}
    sources = {
        name: s for name, s in changes["sources"].items() if not s.get("districts") or set(s["districts"]) <= known
    }
    return build_joint(build_problem(make_city(**city), make_scenario(**{**changes, "sources": sources})))


def least_unmet(joint: Joint, levels: Levels | None = None) -> float:
    """Smallest unmet need there is."""
    run = WholePlan(Fair.of(joint), EXACT, Event(), Watch(Silent(), Event(), inf))
    outcome = run.minimise("unmet_need", joint.unmet, levels or no_levels(joint.problem), (), None)
    assert outcome.value is not None
    assert outcome.value - outcome.bound <= 1e-6 * max(1.0, outcome.value)
    return outcome.value


def highest(joint: Joint) -> float:
    """Largest common level there is."""
    outcome = solve(raising_arrays(joint, no_levels(joint.problem)), EXACT)
    assert outcome.value is not None
    return -outcome.value


@few
@given(cities(), scenarios(), st.integers(1, 5))
def test_more_money_never_hurts(city: dict[str, Any], changes: dict[str, Any], more: int) -> None:
    poor = joint_of(city, changes)
    source = changes["sources"]["city"]
    richer = {**source, "amount_yuan": [yuan + 1000 * more for yuan in source["amount_yuan"]]}
    rich = joint_of(city, {**changes, "sources": {**changes["sources"], "city": richer}})
    assert least_unmet(rich) <= least_unmet(poor) + 1e-4
    assert highest(rich) >= highest(poor) - 1e-6


@few
@given(cities(), scenarios(), st.randoms(use_true_random=False))
def test_the_order_of_rows_services_and_sources_does_not_matter(
    city: dict[str, Any], changes: dict[str, Any], chance: random.Random
) -> None:
    # `make_city` places a community by its position, so only the other tables are shuffled, and the scenario.
    mixed = {**city, **{name: chance.sample(city[name], len(city[name])) for name in ("sites", "facilities", "needs")}}
    services = dict(reversed(changes["programmes"]["services"].items()))
    other = {
        **changes,
        "programmes": {**changes["programmes"], "services": services},
        "sources": dict(reversed(changes["sources"].items())),
    }
    one, two = joint_of(city, changes), joint_of(mixed, other)
    assert least_unmet(one) == pytest.approx(least_unmet(two), rel=1e-6, abs=1e-4)
    assert highest(one) == pytest.approx(highest(two), abs=1e-6)


def dearer(value: Any, factor: int) -> Any:
    """Return rows or rules with every amount of money multiplied."""
    if isinstance(value, dict):
        return {
            key: _times(inner, factor) if "yuan" in str(key) else dearer(inner, factor) for key, inner in value.items()
        }
    return [dearer(inner, factor) for inner in value] if isinstance(value, list) else value


def _times(value: Any, factor: int) -> Any:
    return [v * factor for v in value] if isinstance(value, list) else value * factor


@few
@given(cities(), scenarios(), st.integers(2, 9))
def test_money_and_costs_scaled_together_change_nothing(
    city: dict[str, Any], changes: dict[str, Any], factor: int
) -> None:
    one, two = joint_of(city, changes), joint_of(dearer(city, factor), dearer(changes, factor))
    assert least_unmet(one) == pytest.approx(least_unmet(two), rel=1e-6, abs=1e-4)
    assert highest(one) == pytest.approx(highest(two), abs=1e-6)


# Prices once ran away here: the box around them grew without end.
RUNAWAY_CITY: dict[str, Any] = {
    "communities": [
        {
            "community": "c0",
            "office": 200,
            "population": 1200,
            "type": "needy",
            "district": "east",
            "sub_district": "east1",
        },
        {
            "community": "c1",
            "office": 0,
            "population": 300,
            "type": "needy",
            "district": "east",
            "sub_district": "east1",
        },
        {
            "community": "c2",
            "office": 100,
            "population": 1100,
            "type": "needy",
            "district": "west",
            "sub_district": "west2",
        },
        {
            "community": "c3",
            "office": 50,
            "population": 500,
            "type": "plain",
            "district": "west",
            "sub_district": "west2",
        },
    ],
    "sites": [
        {
            "site": "st0",
            "community": "c1",
            "use": "station",
            "area_m2": 24,
            "fixed_yuan": 200,
            "capital_yuan_per_m2": 56,
        },
        {
            "site": "st1",
            "community": "c3",
            "use": "station",
            "area_m2": 37,
            "fixed_yuan": 100,
            "capital_yuan_per_m2": 37,
        },
    ],
    "facilities": [],
    "needs": [
        ("c0", "clinic", 172, 18),
        ("c0", "desk", 94, 246),
        ("c1", "clinic", 299, 299),
        ("c1", "desk", 103, 88),
        ("c2", "clinic", 162, 277),
        ("c2", "desk", 246, 46),
        ("c3", "clinic", 251, 149),
        ("c3", "desk", 237, 282),
    ],
}
RUNAWAY_CHANGES: dict[str, Any] = {
    "horizon": {"years": 1, "discount": 0.25},
    "programmes": {
        "work_funds": {"floor_yuan": 3900},
        "space": {"target_m2": 200},
        "services": {
            "clinic": {
                "siting": "network",
                "limit_m": 1300,
                "within": "sub_district",
                "fixed_yuan": 900,
                "capital_yuan_per_unit": 20,
                "running_yuan": 500,
                "area_m2_per_unit": 0.1,
                "min_capacity": 0,
                "max_capacity": 400,
            },
            "desk": {"siting": "own", "fixed_yuan": 400, "capital_yuan_per_unit": 20, "area_m2_per_unit": 0.2},
        },
    },
    "sources": {
        "city": {"role": "city", "amount_yuan": [29500], "carry_limit_share": 0.5},
        "east": {"role": "district", "districts": ["east"], "amount_yuan": 0},
        "west": {"role": "district", "districts": ["west"], "amount_yuan": 4200},
        "gift": {"role": "donor", "types": ["needy"], "amount_yuan": 1800},
    },
    "co_funding": [{"purpose": "work_funds", "of": "city", "ratio": 0.2}],
}


@few
@given(cities(), scenarios())
@example(RUNAWAY_CITY, RUNAWAY_CHANGES)
def test_prices_prove_no_more_than_is_true_and_plan_no_better_than_they_prove(
    city: dict[str, Any], changes: dict[str, Any]
) -> None:
    goals = [
        {"goal": "worst_off", "tolerance": 0.01, "gap": 0.02},
        {"goal": "unmet_need", "tolerance": 0.001, "gap": 0.003},
    ]
    joint = joint_of(city, {**changes, "goals": goals, "solver": {"method": "prices", "threads": 1}})
    found = find_plan(joint, Watch(Silent(), Event(), inf))
    value, bound = value_of(joint.unmet, found.x), found.bounds["unmet_need"]
    scores = achieved(joint, found.x)
    asked = found.levels.required
    assert (scores[found.levels.scored] >= asked[found.levels.scored] - 1e-6).all()
    arrays = joint.arrays(joint.unmet)
    assert arrays.violation(found.x[: joint.n_columns]) < 1e-5
    best = least_unmet(joint, found.levels)
    scale = 1e-6 * max(1.0, abs(best))
    assert bound <= best + scale
    assert best <= value + scale
    if found.levels.follows.any():
        assert scores[found.levels.follows].min() <= found.bounds["worst_off"] + 1e-6
    if found.levels.follows.sum() == found.levels.scored.sum():
        assert highest(joint) <= found.bounds["worst_off"] + 1e-6


FAIR: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.2]).map(lambda most: {"gini_at_most": most}),
    st.tuples(st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.001, 0.01, 0.05])).map(
        lambda pair: {"atkinson_at_most": {"epsilon": pair[0], "value": pair[1]}}
    ),
    st.tuples(st.sampled_from(["least_met_share", "least_share_of_money"]), st.sampled_from([0.1, 0.5, 0.8])).map(
        lambda pair: {"groups": [{"types": ["needy"], "districts": ["east"], pair[0]: pair[1]}]}
    ),
)


@few
@given(cities(), scenarios(), FAIR)
def test_prices_within_bounds_of_fairness_prove_no_more_than_is_true(
    city: dict[str, Any], changes: dict[str, Any], fairness: dict[str, Any]
) -> None:
    goals = [{"goal": "unmet_need", "tolerance": 0.001, "gap": 0.003}]
    joint = joint_of(city, {**changes, "goals": goals, "fairness": fairness, "solver": {"method": "prices"}})
    watch = Watch(Silent(), Event(), inf)
    whole = WholePlan(Fair.of(joint), EXACT, Event(), watch).minimise(
        "unmet_need", joint.unmet, no_levels(joint.problem), (), None
    )
    try:
        found = find_plan(joint, watch)
    except Infeasible:
        assert whole.x is None
        return
    assert whole.value is not None
    scale = 1e-5 * max(1.0, whole.value)
    assert found.bounds["unmet_need"] <= whole.value + scale
    assert whole.bound - scale <= value_of(joint.unmet, found.x)
    assert found.fair is not None
    assert found.fair.broken(found.x) <= 1e-5
    arrays = found.fair.joint.arrays(joint.unmet)
    assert arrays.violation(found.x[: joint.n_columns]) < 1e-5


@few
@given(cities(), scenarios())
def test_a_plan_of_one_model_keeps_its_rules_goals_and_bounds(city: dict[str, Any], changes: dict[str, Any]) -> None:
    joint = joint_of(city, changes)
    found = find_plan(joint, Watch(Silent(), Event(), inf))
    assert joint.arrays(joint.unmet).violation(found.x) < 1e-5  # HiGHS keeps rows within 1e-6 of scaled rows
    follows = found.levels.follows
    if follows.any():
        worst = achieved(joint, found.x)[follows].min()
        assert found.bounds["worst_off"] - 0.006 <= worst <= found.bounds["worst_off"] + 1e-6
    for name, goal in (("unmet_need", joint.unmet), ("travel", joint.travel), ("spending", joint.spending)):
        assert found.bounds[name] <= value_of(goal, found.x) + 1e-5 * max(1.0, abs(found.bounds[name])), name


@few
@given(cities(), scenarios())
def test_parts_of_a_problem_add_up(city: dict[str, Any], changes: dict[str, Any]) -> None:
    problem = joint_of(city, changes).problem
    parts = [problem.part(communities) for communities in problem.parts]
    assert sorted(c for part in parts for c in part.communities) == list(problem.communities)
    for name in ("rooms", "halls", "hall_arcs", "places", "arcs", "existing", "existing_arcs"):
        whole: Rows = getattr(problem, name)
        assert sum(len(getattr(part, name)) for part in parts) == len(whole)
        for part in parts:
            for field in fields(whole):  # type: ignore[arg-type]
                if field.name not in ("community", "target", "room"):
                    mine, all_of_it = getattr(getattr(part, name), field.name), getattr(whole, field.name)
                    assert list(mine) == [all_of_it[at] for at in part.origin[name]], (name, field.name)
    model = build_model(problem)
    models = [build_model(part) for part in parts]
    assert sum(m.n_columns for m in models) == model.n_columns
    assert sum(m.n_rows for m in models) == model.n_rows
    assert sum(m.unmet[1] for m in models) == pytest.approx(model.unmet[1])
    assert sum(m.fixed_cost for m in models) == pytest.approx(model.fixed_cost)
    for of in (
        lambda m: m.cost.sum(axis=1),
        lambda m: m.upper.sum(),
        lambda m: m.travel.sum(),
        lambda m: m.unmet[0].sum(),
    ):
        assert sum(np.asarray(of(m)) for m in models) == pytest.approx(np.asarray(of(model)))
    assert sorted(n for m in models for n in m.column_names() if n.startswith(("grant", "area", "take"))) == sorted(
        n for n in model.column_names() if n.startswith(("grant", "area", "take"))
    )
