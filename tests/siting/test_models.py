"""Each model: a case solved by hand, agreement with trying every choice, and what must not matter."""

import itertools
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from optimizer import siting

INF = np.inf
# Four clients on a line at 0, 2, 6, 7; three sites at 0, 4, 7.
LINE = np.abs(np.array([[0.0], [2.0], [6.0], [7.0]]) - np.array([[0.0, 4.0, 7.0]]))


def test_p_median_by_hand() -> None:
    found = siting.p_median(LINE, p=2)
    assert found.value == 3  # sites at 0 and 7: 0 + 2 + 1 + 0
    assert found.open_sites.tolist() == [0, 2]
    assert found.assignment.tolist() == [0, 0, 2, 2]
    assert (found.bound, found.gap, found.status) == (3, 0, "optimal")
    assert siting.p_median(LINE, p=2, weights=[1, 10, 1, 1]).value == 21  # 0 + 20 + 1 + 0
    assert siting.p_median(LINE, p=2, existing=[1]).value == 7  # with 0: 0 + 2 + 2 + 3, with 7: 4 + 2 + 1 + 0


def test_p_center_by_hand() -> None:
    found = siting.p_center(LINE, p=1)
    assert (found.value, found.open_sites.tolist()) == (4, [1])
    assert siting.p_center(LINE, p=2).value == 2


def test_lscp_by_hand() -> None:
    found = siting.lscp(LINE, limit=2)  # inclusive: the client at 2 is 2 from the sites at 0 and 4
    assert (found.value, found.covered.min()) == (2, 1)
    assert siting.lscp(LINE, limit=4).open_sites.tolist() == [1]
    assert siting.lscp(LINE, limit=4, existing=[0]).value == 2
    assert siting.lscp(LINE, limit=4, fixed_cost=[1, 5, 1]).value == 2


def test_mclp_by_hand() -> None:
    found = siting.mclp(LINE, limit=1, p=1)
    assert (found.value, found.open_sites.tolist(), found.assignment.tolist()) == (2, [2], [-1, -1, 2, 2])
    assert siting.mclp(LINE, limit=1, p=1, weights=[5, 1, 1, 1]).open_sites.tolist() == [0]
    assert siting.mclp(LINE, limit=0, p=3, weights=[1, 1, 0, 1]).value == 2


def test_backup_coverage_by_hand() -> None:
    found = siting.backup_coverage(LINE, limit=3, p=2)
    # 0 and 4: clients at 0 (once), 2 (twice), 6, 7 once by 4; 0 and 7: nobody twice; 4 and 7 miss the client at 0.
    assert (found.value, found.open_sites.tolist(), found.covered.tolist()) == (1, [0, 1], [1, 2, 1, 1])
    with pytest.raises(siting.SitingInfeasible, match="at least 2"):
        siting.backup_coverage(LINE, limit=3, p=1)


def test_cflp_by_hand() -> None:
    found = siting.cflp(LINE, fixed_cost=[1, 9, 1])
    assert found.value == 5
    tight = siting.cflp(LINE, fixed_cost=[1, 9, 1], demand=[2, 2, 2, 2], capacity=[3, 9, 5])
    assert tight.value == pytest.approx(1 + 1 + 0 + (2 * 0.5 + 5 * 0.5) + 1 + 0)  # half of the client at 2 goes to 7
    assert tight.assignment[1].tolist() == pytest.approx([0.5, 0, 0.5])


def test_capacitated_p_median_by_hand() -> None:
    found = siting.capacitated_p_median(LINE, p=2, demand=[1, 1, 1, 1], capacity=[1, 4, 3])
    assert found.value == 6  # 0 and 7: 0 + 5 + 1 + 0; 0 and 4: 0 + 2 + 2 + 3; 4 and 7: 4 + 2 + 1 + 0


def test_p_dispersion_by_hand() -> None:
    places = np.array([0.0, 1, 5, 9, 10])
    apart = np.abs(places[:, None] - places[None, :])
    found = siting.p_dispersion(apart, p=3)
    assert (found.value, found.open_sites.tolist()) == (5, [0, 2, 4])
    assert siting.p_dispersion(apart, p=3, existing=[1]).value == 4


@st.composite
def cases(draw: st.DrawFn, forbidden: bool = True) -> np.ndarray:
    """Small cost matrices with whole costs, ties, and some forbidden pairs."""
    clients, sites = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    most = draw(st.sampled_from([3, 30, 1000]))
    flat = draw(st.lists(st.integers(0, most), min_size=clients * sites, max_size=clients * sites))
    cost = np.array(flat, float).reshape(clients, sites)
    if forbidden and draw(st.booleans()):
        ban = draw(st.lists(st.booleans(), min_size=clients * sites, max_size=clients * sites))
        cost[np.array(ban).reshape(clients, sites)] = INF
    return cost


def choices(sites: int, p: int, existing: list[int]) -> Iterator[list[int]]:
    """Every choice of p sites that holds the existing ones."""
    for chosen in itertools.combinations(range(sites), p):
        if set(existing) <= set(chosen):
            yield list(chosen)


def best(
    cost: np.ndarray, p: int, existing: list[int], value: Callable[[list[int]], float], most: bool = False
) -> float:
    values = [value(chosen) for chosen in choices(cost.shape[1], p, existing)]
    return (max if most else min)(values, default=INF)


def drawn(data: st.DataObject, cost: np.ndarray) -> tuple[int, list[int], np.ndarray]:
    """A number of sites, existing ones, and weights."""
    clients, sites = cost.shape
    p = data.draw(st.integers(1, sites))
    existing = data.draw(st.lists(st.integers(0, sites - 1), max_size=min(p, 2), unique=True))
    weights = np.array(data.draw(st.lists(st.integers(0, 5), min_size=clients, max_size=clients)), float)
    return p, existing, weights


def agrees(solve: Callable[[], siting.Result], expected: float) -> siting.Result | None:
    """The model finds and proves the value, or says that there is none."""
    if not np.isfinite(expected):
        with pytest.raises(siting.SitingError):
            solve()
        return None
    found = solve()
    assert found.value == expected
    assert found.bound == expected
    assert found.status == "optimal"
    return found


@given(cost=cases(), data=st.data())
def test_p_median_is_the_best_of_all_choices(cost: np.ndarray, data: st.DataObject) -> None:
    p, existing, weights = drawn(data, cost)

    def value(chosen: list[int]) -> float:
        least = cost[:, chosen].min(axis=1)
        return float(weights @ least) if np.isfinite(least).all() else INF

    expected = best(cost, p, existing, value)
    found = agrees(lambda: siting.p_median(cost, p=p, weights=weights, existing=existing), expected)
    if found is not None:
        assert found.open_sites.size == p
        assert value(found.open_sites.tolist()) == expected
        assert set(found.assignment) <= set(found.open_sites)


@given(cost=cases(), data=st.data())
def test_p_center_is_the_best_of_all_choices(cost: np.ndarray, data: st.DataObject) -> None:
    p, existing, weights = drawn(data, cost)
    with np.errstate(invalid="ignore"):
        far = np.where(np.isfinite(cost), weights[:, None] * cost, INF)
    expected = best(far, p, existing, lambda chosen: float(far[:, chosen].min(axis=1).max()))
    found = agrees(lambda: siting.p_center(cost, p=p, weights=weights, existing=existing), expected)
    assert found is None or found.open_sites.size == p


@given(cost=cases(), data=st.data())
def test_covering_models_are_the_best_of_all_choices(cost: np.ndarray, data: st.DataObject) -> None:
    p, existing, weights = drawn(data, cost)
    limit = data.draw(st.integers(0, 30))
    allowed = cost <= limit
    sizes = range(max(1, len(existing)), cost.shape[1] + 1)
    fewest = min(
        (n for n in sizes for c in choices(cost.shape[1], n, existing) if allowed[:, c].any(axis=1).all()), default=INF
    )
    agrees(lambda: siting.lscp(cost, limit=limit, existing=existing), fewest)
    most = best(cost, p, existing, lambda c: float(weights[allowed[:, c].any(axis=1)].sum()), most=True)
    agrees(lambda: siting.mclp(cost, limit=limit, p=p, weights=weights, existing=existing), most)

    def twice(chosen: list[int]) -> float:
        times = allowed[:, chosen].sum(axis=1)
        return float(weights[times > 1].sum()) if times.min() > 0 else -INF

    double = best(cost, p, existing, twice, most=True)
    agrees(lambda: siting.backup_coverage(cost, limit=limit, p=p, weights=weights, existing=existing), double)


def transported(cost: np.ndarray, demand: np.ndarray, room: np.ndarray) -> float:
    """Least cost of serving all demand from given sites, shares split, by another solver."""
    clients, sites = cost.shape
    banned = ~np.isfinite(cost)
    equal = np.kron(np.eye(clients), np.ones(sites))
    within = np.kron(np.ones(clients), np.eye(sites)) * np.repeat(demand, sites)
    bounds = [(0, 0 if ban else 1) for ban in banned.ravel()]
    done = linprog(np.where(banned, 0, cost).ravel(), within, room, equal, np.ones(clients), bounds=bounds)
    return float(done.fun) if done.status == 0 else INF


@settings(max_examples=25)
@given(cost=cases(), data=st.data())
def test_cflp_is_the_best_of_all_choices(cost: np.ndarray, data: st.DataObject) -> None:
    clients, sites = cost.shape
    whole = st.integers(0, 9)
    demand = np.array(data.draw(st.lists(whole, min_size=clients, max_size=clients)), float)
    room = np.array(data.draw(st.lists(st.integers(0, 20), min_size=sites, max_size=sites)), float)
    fixed = np.array(data.draw(st.lists(st.integers(0, 50), min_size=sites, max_size=sites)), float)
    expected = min(
        fixed[c].sum() + transported(cost[:, c], demand, room[c])
        for n in range(1, sites + 1)
        for c in choices(sites, n, [])
    )

    def solve() -> siting.Result:
        return siting.cflp(cost, demand=demand, capacity=room, fixed_cost=fixed)

    if not np.isfinite(expected):
        with pytest.raises(siting.SitingError):
            solve()
        return
    found = solve()
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert found.proven
    assert found.assignment.sum(axis=1) == pytest.approx(np.ones(clients))
    assert (demand @ found.assignment <= room * np.isin(np.arange(sites), found.open_sites) + 1e-6).all()


@settings(max_examples=25)
@given(cost=cases(), data=st.data())
def test_capacitated_p_median_is_the_best_of_all_choices(cost: np.ndarray, data: st.DataObject) -> None:
    cost = cost[:5, :4]
    clients, sites = cost.shape
    p = data.draw(st.integers(1, sites))
    demand = np.array(data.draw(st.lists(st.integers(0, 9), min_size=clients, max_size=clients)), float)
    room = np.array(data.draw(st.lists(st.integers(0, 25), min_size=sites, max_size=sites)), float)
    expected = INF
    for chosen in choices(sites, p, []):
        for place in itertools.product(chosen, repeat=clients):
            load = np.bincount(place, demand, sites)
            if (load <= room).all():
                expected = min(expected, float(cost[np.arange(clients), list(place)].sum()))
    found = agrees(lambda: siting.capacitated_p_median(cost, p=p, demand=demand, capacity=room), expected)
    if found is not None:
        assert (np.bincount(found.assignment, demand, sites) <= room).all()
        assert set(found.assignment) <= set(found.open_sites)
        assert found.open_sites.size == p


@given(data=st.data())
def test_p_dispersion_is_the_best_of_all_choices(data: st.DataObject) -> None:
    sites = data.draw(st.integers(2, 8))
    points = data.draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=sites, max_size=sites))
    apart = np.abs(np.array(points)[:, None] - np.array(points)[None, :]).sum(axis=2).astype(float)
    p = data.draw(st.integers(2, sites))
    existing = data.draw(st.lists(st.integers(0, sites - 1), max_size=2, unique=True))

    def value(chosen: list[int]) -> float:
        return float(min(apart[a, b] for a, b in itertools.combinations(chosen, 2)))

    expected = best(apart, p, existing, value, most=True)
    found = siting.p_dispersion(apart, p=p, existing=existing)
    assert (found.value, found.bound, found.open_sites.size) == (expected, expected, p)
    assert value(found.open_sites.tolist()) == expected


def scattered(clients: int, sites: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ends = rng.uniform(0, 100, (clients, 1, 2)), rng.uniform(0, 100, (1, sites, 2))
    return np.hypot(*(ends[0] - ends[1]).transpose(2, 0, 1))


MODELS: dict[str, Callable[[np.ndarray], siting.Result]] = {
    "p-median": lambda cost: siting.p_median(cost, p=4),
    "p-center": lambda cost: siting.p_center(cost, p=4),
    "cflp": lambda cost: siting.cflp(cost, fixed_cost=40.0, capacity=12.0),
    "capacitated": lambda cost: siting.capacitated_p_median(cost, p=4, demand=np.full(40, 3.0), capacity=33.0),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [1, 2])
def test_order_does_not_matter_and_the_same_input_gives_the_same_answer(model: str, seed: int) -> None:
    cost = scattered(40, 25, seed)
    first, again = MODELS[model](cost), MODELS[model](cost)
    assert first.open_sites.tolist() == again.open_sites.tolist()
    assert (first.assignment == again.assignment).all()
    assert first.status == "optimal"
    rng = np.random.default_rng(seed)
    turned = MODELS[model](cost[np.ix_(rng.permutation(40), rng.permutation(25))])
    assert turned.value == pytest.approx(first.value, rel=1e-7)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_scaled_costs_scale_the_value(factor: float) -> None:
    cost = scattered(60, 40, 5)
    for solve in (lambda c: siting.p_median(c, p=5), lambda c: siting.p_center(c, p=5)):
        first, other = solve(cost), solve(factor * cost)
        assert other.value == pytest.approx(factor * first.value, rel=1e-7)
        assert other.open_sites.tolist() == first.open_sites.tolist()


def test_a_stopped_search_says_so() -> None:
    cost = scattered(300, 300, 3)
    found = siting.p_median(cost, p=7, time_limit=0.0)
    assert found.value is not None
    assert found.bound <= found.value
    assert found.status == ("optimal" if found.gap <= 1e-6 else "feasible")
    stopped = siting.p_center(cost, p=7, time_limit=0.0)
    assert stopped.status == "feasible"
    assert stopped.bound < stopped.value
    none = siting.cflp(cost, fixed_cost=50.0, capacity=20.0, time_limit=0.0)
    assert none.status in {"no_plan", "feasible"}


@pytest.mark.parametrize("seed", [1, 2])
def test_links_added_where_broken_give_the_same_answer(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    cost, demand = scattered(30, 12, seed), rng.integers(0, 5, 30).astype(float)

    def solve() -> siting.Result:
        return siting.cflp(cost, fixed_cost=60.0, capacity=25.0, demand=demand)

    first = solve()
    monkeypatch.setattr(sys.modules["optimizer.siting.cflp"], "_ALL_LINKS", 0)
    other = solve()
    assert other.value == pytest.approx(first.value, rel=1e-6)
    assert other.proven
    assert other.assignment.sum(axis=1) == pytest.approx(np.ones(30))


def test_demands_that_are_not_whole() -> None:
    cost = scattered(12, 6, 4)
    demand = np.linspace(0.3, 1.7, 12)
    found = siting.capacitated_p_median(cost, p=3, demand=demand, capacity=4.5)
    assert found.proven
    assert (np.bincount(found.assignment, demand, 6) <= 4.5 + 1e-6).all()
    loose = siting.capacitated_p_median(cost, p=3, demand=demand, capacity=100.0)
    assert loose.value == pytest.approx(siting.p_median(cost, p=3).value)


def test_site_numbers_of_cflp() -> None:
    cost = scattered(20, 8, 6)
    for p in (1, 3):
        assert siting.cflp(cost, fixed_cost=0, p=p).value == pytest.approx(siting.p_median(cost, p=p).value)


def test_a_bound_off_by_rounding_only_proves_backup_coverage() -> None:
    best = siting.backup_coverage(np.ones((5, 3)), limit=1, weights=[1, 0.1, 10, 0.1, 100])
    assert (best.value, best.bound, best.gap, best.status) == (0, 0, 0, "optimal")
