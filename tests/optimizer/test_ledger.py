"""Money in whole yuan: what the books must keep for any costs, and when there are no books."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from optimizer.ledger import Books, MoneyShortError, keep_books
from optimizer.money import district_sources
from optimizer.plan_tables import Item
from optimizer.problem import Problem
from optimizer.problem_data import build_problem
from tests.optimizer.tiny import Row, make_city, make_scenario

few = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
COMMUNITIES: list[Row] = [
    {"community": "a", "district": "east"},
    {"community": "b", "district": "east", "type": "needy"},
    {"community": "c", "district": "west", "type": "needy"},
]
SOURCES: dict[str, Any] = {
    "city": {
        "role": "city",
        "amount_yuan": [50_001, 40_000],
        "carry_limit_share": 0.33,
        "ceiling_share": {"space": 0.5},
    },
    "east": {"role": "district", "districts": ["east"], "amount_yuan": 20_003},
    "west": {"role": "district", "districts": ["west"], "amount_yuan": 9999},
    "gift": {"role": "donor", "types": ["needy"], "amount_yuan": 3000, "purposes": ["space", "work_funds"]},
    "lottery": {"role": "lottery", "services": ["clinic"], "purposes": ["service_running"], "amount_yuan": 1777},
}
RULE = [{"purpose": "work_funds", "of": "city", "ratio": 0.3}]
SERVICES = {"clinic": {"siting": "network", "limit_m": 1000}, "desk": {"siting": "own"}}


def problem_of(sources: dict[str, Any] = SOURCES, *, hard: bool = False, **changes: Any) -> Problem:
    programmes = {"work_funds": {"floor_yuan": 10_000, "hard_floor": hard}, "services": SERVICES}
    scenario = make_scenario(sources=sources, programmes=programmes, **{"horizon": {"years": 2}, **changes})
    return build_problem(make_city(COMMUNITIES), scenario)


BIG = problem_of(co_funding=RULE)


def item(
    problem: Problem,
    purpose: str,
    i: int,
    yuan: int,
    *,
    t: int = 0,
    service: str = "",
    shared: bool = False,
    site: str = "x",
) -> Item:
    """A cost of the community at position `i`, in year `t`."""
    k = problem.needs.index(service) - 2 if service else -1
    community, site = "" if shared else problem.communities[i], "" if purpose == "work_funds" else site
    return Item(purpose, problem.cell(purpose, i, k, shared=shared), t, community, service, site, yuan)


@st.composite
def costs(draw: st.DrawFn) -> list[Item]:
    """Costs that might belong to a plan: grants, rooms, stations, some shared."""
    items = []
    for n in range(draw(st.integers(1, 12))):
        i, t = draw(st.integers(0, 2)), draw(st.integers(0, 1))
        purpose = draw(st.sampled_from(["work_funds", "space", "service_capital", "service_running"]))
        service = draw(st.sampled_from(["clinic", "desk"])) if purpose.startswith("service") else ""
        shared = service == "clinic" or (purpose == "space" and draw(st.booleans()))
        items.append(
            item(BIG, purpose, i, draw(st.integers(1, 6000)), t=t, service=service, shared=shared, site=f"site{n}")
        )
    return items


def check(problem: Problem, books: Books, items: list[Item]) -> None:
    """All that books must keep, counted again from their rows."""
    ledger, sources = books.ledger, books.sources
    assert (ledger["yuan"] > 0).all()
    keys = ["purpose", "community", "year", "service", "site"]
    paid = ledger.groupby(keys)["yuan"].sum().to_dict()
    due: dict[tuple[object, ...], int] = {}
    for item in books.items:
        key = (item.purpose, item.community, problem.years[item.year], item.service, item.site)
        due[key] = due.get(key, 0) + item.yuan
    assert paid == due  # (19)
    other = [item for item in items if item.purpose != "work_funds"]
    assert [item for item in books.items if item.purpose != "work_funds"] == other  # only grants give way
    spent = ledger.groupby(["source", "year"])["yuan"].sum().to_dict()
    rules = problem.scenario.sources
    carried: dict[str, int] = {}
    for row in sources.itertuples():
        assert row.spent_yuan == spent.get((row.source, row.year), 0)
        into = row.carried_in_yuan + row.amount_yuan
        assert row.spent_yuan + row.carried_out_yuan + row.lapsed_yuan == into  # (20)
        assert min(row.carried_out_yuan, row.lapsed_yuan, row.carried_in_yuan) >= 0
        assert row.carried_out_yuan <= rules[row.source].carry_limit_share * row.amount_yuan
        assert row.carried_in_yuan == carried.get(row.source, 0)
        assert row.year < problem.years[-1] or row.carried_out_yuan == 0
        carried[row.source] = row.carried_out_yuan
        for purpose, share in rules[row.source].ceiling_share.items():  # (22)
            mine = (ledger["source"] == row.source) & (ledger["year"] == row.year) & (ledger["purpose"] == purpose)
            assert ledger.loc[mine, "yuan"].sum() <= share * row.amount_yuan
    kinds = dict(zip(problem.communities, problem.types, strict=True))
    for row in ledger.itertuples():  # (21)
        rule = rules[row.source]
        assert row.purpose in rule.purposes
        assert not rule.districts or row.district in rule.districts
        assert not rule.services or not row.service or row.service in rule.services
        assert not rule.types or kinds.get(row.community) in rule.types
    for co in problem.scenario.co_funding:  # (22)
        for d, district in enumerate(problem.districts):
            own = [problem.sources[s] for s in district_sources(problem, d)]
            for year in problem.years:
                here = ledger[
                    (ledger["district"] == district) & (ledger["year"] == year) & (ledger["purpose"] == co.purpose)
                ]
                by = here.loc[here["source"].isin(own), "yuan"].sum()
                assert by >= co.ratio * here.loc[here["source"] == co.of, "yuan"].sum() - 1e-9


@few
@given(costs())
def test_books_of_any_costs_foot_and_keep_every_rule(items: list[Item]) -> None:
    try:
        books = keep_books(BIG, items)
    except MoneyShortError:
        return
    check(BIG, books, items)


ONE: dict[str, Any] = {"city": {"role": "city", "amount_yuan": 10_000}}


def test_grants_give_way_to_rounding_largest_first() -> None:
    # 10,003 are due and 10,000 are there: the two grants give 2 and 1 yuan, the larger more.
    problem = problem_of(ONE)
    items = [
        item(problem, "space", 0, 1002),
        item(problem, "work_funds", 0, 4000),
        item(problem, "work_funds", 1, 5001),
    ]
    books = keep_books(problem, items)
    assert [i.yuan for i in books.items] == [1002, 3999, 4999]
    check(problem, books, items)


def test_a_grant_that_gives_way_wholly_is_gone() -> None:
    problem = problem_of(ONE)
    books = keep_books(problem, [item(problem, "space", 0, 10_000), item(problem, "work_funds", 0, 2)])
    assert [i.purpose for i in books.items] == ["space"]
    assert books.ledger["yuan"].tolist() == [10_000]


def test_a_hard_floor_does_not_give_way() -> None:
    problem = problem_of(ONE, hard=True)
    with pytest.raises(MoneyShortError):
        keep_books(problem, [item(problem, "work_funds", 0, 10_001)])


def test_costs_beyond_the_money_are_refused_with_what_is_missing() -> None:
    problem = problem_of(ONE)
    with pytest.raises(MoneyShortError) as caught:
        keep_books(problem, [item(problem, "space", 0, 10_007)])
    assert caught.value.yuan == 7  # the second year's money cannot be used in the first


def test_costs_that_no_source_may_pay_are_refused_with_what_is_missing() -> None:
    problem = problem_of({"city": {"role": "city", "amount_yuan": 10_000, "purposes": ["space"]}})
    with pytest.raises(MoneyShortError) as caught:
        keep_books(problem, [item(problem, "service_running", 0, 300, service="clinic", shared=True)])
    assert caught.value.yuan == 300


def test_co_funding_in_whole_yuan() -> None:
    # 0.3 x 769 = 230.7: the district pays 231 of 1,000, or more.
    problem = problem_of({n: SOURCES[n] for n in ("city", "east")}, co_funding=RULE)
    items = [item(problem, "work_funds", 0, 1000)]
    books = keep_books(problem, items)
    check(problem, books, items)
    assert books.items == items


def test_restricted_money_is_used_first() -> None:
    problem = problem_of({n: SOURCES[n] for n in ("city", "east", "gift")})
    books = keep_books(problem, [item(problem, "space", 1, 3500)])
    assert books.ledger.set_index("source")["yuan"].to_dict() == {"gift": 3000, "east": 500}


def test_what_is_left_is_carried_as_far_as_it_may_be_and_the_rest_lapses() -> None:
    problem = problem_of({"city": {"role": "city", "amount_yuan": 1001, "carry_limit_share": 0.5}})
    books = keep_books(problem, [item(problem, "space", 0, 200)])
    assert books.sources.drop(columns="source").to_numpy().tolist() == [
        [2020, 1001, 0, 200, 500, 301],
        [2021, 1001, 500, 0, 0, 1501],
    ]


def test_nothing_to_pay() -> None:
    books = keep_books(BIG, [])
    assert books.ledger.empty
    assert list(books.ledger.columns) == [
        "source",
        "purpose",
        "district",
        "community",
        "year",
        "yuan",
        "service",
        "site",
    ]
    assert np.all(books.sources["spent_yuan"] == 0)


HUNDREDS = problem_of(co_funding=RULE, currency={"unit_yuan": 100})


@few
@given(costs())
def test_grants_are_paid_in_whole_units(items: list[Item]) -> None:
    whole = [replace(i, yuan=-(-i.yuan // 100) * 100) if i.purpose == "work_funds" else i for i in items]
    try:
        books = keep_books(HUNDREDS, whole)
    except MoneyShortError:
        return
    check(HUNDREDS, books, whole)
    grants = books.ledger[books.ledger["purpose"] == "work_funds"]
    assert not (grants["yuan"] % 100).any()
