"""Bad input: a named error with everything that is wrong, never a wrong answer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from optimizer import siting

GOOD = np.arange(12.0).reshape(4, 3)
CALLS: dict[str, Callable[..., siting.Result]] = {
    "lscp": partial(siting.lscp, limit=100),
    "backup_coverage": partial(siting.backup_coverage, limit=100),
    "mclp": partial(siting.mclp, limit=100, p=1),
    "p_median": partial(siting.p_median, p=1),
    "p_center": partial(siting.p_center, p=1),
    "cflp": partial(siting.cflp, fixed_cost=1.0),
    "capacitated_p_median": partial(siting.capacitated_p_median, p=1, demand=1, capacity=9),
    "p_dispersion": partial(siting.p_dispersion, p=2),
}


def changed(value: float) -> np.ndarray:
    cost = np.ones((4, 4))
    cost[2, 1] = cost[1, 2] = value
    return cost


@pytest.mark.parametrize("model", CALLS)
def test_costs_that_are_not_numbers_or_negative_are_refused_with_their_place(model: str) -> None:
    with pytest.raises(siting.SitingInputError, match="client 1, site 2") as wrong:
        CALLS[model](changed(np.nan))
    assert "not_a_number" in wrong.value.codes
    with pytest.raises(siting.SitingInputError, match="-3") as wrong:
        CALLS[model](changed(-3.0))
    assert "negative" in wrong.value.codes


@pytest.mark.parametrize("model", CALLS)
@pytest.mark.parametrize("cost", [np.zeros((0, 3)), np.zeros(3), np.zeros((3, 0)), [["a", "b"]]], ids=str)
def test_what_is_no_matrix_is_refused(model: str, cost: np.ndarray) -> None:
    with pytest.raises(siting.SitingInputError):
        CALLS[model](cost)


@pytest.mark.parametrize("model", ["lscp", "backup_coverage", "p_median", "p_center", "cflp", "capacitated_p_median"])
def test_clients_that_no_site_can_reach_are_listed(model: str) -> None:
    cost = GOOD.copy()
    cost[[1, 3]] = np.inf
    with pytest.raises(siting.SitingInputError, match="client 1, 3") as wrong:
        CALLS[model](cost)
    assert wrong.value.codes == ("unreachable_clients",)
    assert wrong.value.findings[0].clients == (1, 3)


@pytest.mark.parametrize("p", [0, -1, 4, 2.5, True, "3"])
def test_a_number_of_sites_that_cannot_be_is_refused(p: object) -> None:
    calls = (
        lambda: siting.p_median(GOOD, p=p),
        lambda: siting.p_center(GOOD, p=p),
        lambda: siting.mclp(GOOD, p=p, limit=3),
        lambda: siting.backup_coverage(GOOD, p=p, limit=30),
        lambda: siting.cflp(GOOD, p=p, fixed_cost=1),
        lambda: siting.capacitated_p_median(GOOD, p=p, demand=1, capacity=9),
    )
    for call in calls:
        with pytest.raises(siting.SitingInputError, match="p = "):
            call()


def test_all_mistakes_are_said_at_once() -> None:
    cost = GOOD.copy()
    cost[0, 0] = np.nan
    with pytest.raises(siting.SitingInputError) as wrong:
        siting.p_median(cost, p=9, weights=[1, -1, np.inf, np.nan], existing=[0, 0, 7])
    expected = {"not_a_number", "negative", "infinite", "existing", "existing_twice", "p_too_large"}
    assert set(wrong.value.codes) == expected
    assert "there are 3" in str(wrong.value)


def test_capacity_below_demand_says_how_much_is_missing() -> None:
    with pytest.raises(siting.SitingInputError, match="8 is missing"):
        siting.cflp(GOOD, fixed_cost=1, demand=5, capacity=4)
    with pytest.raises(siting.SitingInputError, match="the 2 largest sites is 15, demand is 20: 5 is missing"):
        siting.capacitated_p_median(GOOD, p=2, demand=5, capacity=[5, 10, 5])


def test_capacity_where_it_may_not_be_used_is_infeasible_and_says_whose() -> None:
    cost = np.array([[1.0, np.inf], [1.0, np.inf], [2.0, 3.0]])
    with pytest.raises(siting.SitingInfeasible, match="demand of 4 cannot be served") as wrong:
        siting.cflp(cost, fixed_cost=1, demand=[5, 5, 1], capacity=[6, 9])
    assert wrong.value.codes == ("demand_not_served",)


def test_demands_that_do_not_fit_whole_are_infeasible() -> None:
    with pytest.raises(siting.SitingInfeasible, match="do not fit"):
        siting.capacitated_p_median(np.ones((3, 2)), p=2, demand=[2, 2, 2], capacity=3)
    with pytest.raises(siting.SitingInputError, match="client 0"):  # larger than every site
        siting.capacitated_p_median(np.ones((3, 2)), p=2, demand=[5, 0, 0], capacity=3)


def test_too_few_sites_for_the_allowed_pairs_are_infeasible_and_say_how_many_are_needed() -> None:
    cost = np.where(np.eye(3, dtype=bool), 1.0, np.inf)
    with pytest.raises(siting.SitingInfeasible, match="at least 3 are needed"):
        siting.p_median(cost, p=2)
    with pytest.raises(siting.SitingInfeasible):
        siting.p_center(cost, p=2)


@pytest.mark.parametrize("bad", [[1, 2], [[1, 2, 3, 4]], "many", None])
def test_numbers_of_the_wrong_shape_are_refused(bad: object) -> None:
    if bad is None:
        with pytest.raises(siting.SitingInputError, match="limit"):
            siting.lscp(GOOD, limit=None)  # type: ignore[arg-type]
        return
    with pytest.raises(siting.SitingInputError, match="4 clients"):
        siting.p_median(GOOD, p=1, weights=bad)  # type: ignore[arg-type]


def test_existing_sites_must_be_indices() -> None:
    with pytest.raises(siting.SitingInputError, match="fewer than exist"):
        siting.p_median(GOOD, p=1, existing=[0, 1])
    for bad in ([-1], [3], [0.5], ["a"], [[0]]):
        with pytest.raises(siting.SitingInputError):
            siting.lscp(GOOD, limit=99, existing=bad)  # type: ignore[arg-type]


def test_distances_between_sites_are_the_same_both_ways() -> None:
    with pytest.raises(siting.SitingInputError, match="sites 0, 1 = 1 and 3"):
        siting.p_dispersion(np.array([[0.0, 1.0], [3.0, 0.0]]), p=2)
    with pytest.raises(siting.SitingInputError, match="one row a site"):
        siting.p_dispersion(GOOD, p=2)


def test_the_input_is_left_as_it_is() -> None:
    cost, weights = GOOD.copy(), np.ones(4)
    for call in CALLS.values():
        call(cost) if call is not CALLS["p_dispersion"] else None
    siting.p_median(cost, p=1, weights=weights)
    assert (cost == GOOD).all()
    assert (weights == 1).all()


@pytest.mark.parametrize("model", CALLS)
@pytest.mark.parametrize(
    "bad",
    [{"seed": -1}, {"seed": 1.5}, {"seed": 2**40}, {"threads": 0}, {"threads": True}, {"time_limit": np.nan}],
    ids=str,
)
def test_a_search_that_cannot_be_is_refused_by_every_model(model: str, bad: dict[str, Any]) -> None:
    with pytest.raises(siting.SitingInputError, match=f"{next(iter(bad))} = ") as wrong:
        CALLS[model](np.ones((4, 4)), **bad)
    assert wrong.value.codes == tuple(bad)


@pytest.mark.parametrize("model", CALLS)
@pytest.mark.parametrize("bad", [None, -1, "3", np.nan], ids=str)
def test_the_time_is_a_number_of_seconds_and_is_said_with_all_else(model: str, bad: object) -> None:
    with pytest.raises(siting.SitingInputError, match=r"time_limit = .*0 or more") as wrong:
        CALLS[model](np.ones((4, 4)), existing=[9], time_limit=bad, threads=0, seed=-1)
    assert wrong.value.codes == ("existing", "time_limit", "threads", "seed")


@pytest.mark.parametrize("model", CALLS)
def test_ragged_indices_of_existing_sites_are_refused(model: str) -> None:
    with pytest.raises(siting.SitingInputError, match="must be indices of sites") as wrong:
        CALLS[model](np.ones((4, 4)), existing=[[1], [1, 2]])
    assert wrong.value.codes == ("existing",)


@pytest.mark.parametrize("model", CALLS)
def test_complex_numbers_and_dates_are_no_costs(model: str) -> None:
    days = np.full((4, 4), np.datetime64("2020-01-01"))
    for bad in (np.ones((4, 4)) + 1j, days, days - days, days.astype(object), np.ones((4, 4), complex).astype(object)):
        with pytest.raises(siting.SitingInputError) as wrong:
            CALLS[model](bad)
        assert wrong.value.codes == ("not_numbers",)
    with pytest.raises(siting.SitingInputError, match="weights"):
        siting.p_median(GOOD, p=1, weights=[1j, 1, 1, 1])  # type: ignore[list-item]


@pytest.mark.parametrize("model", ["p_median", "p_center", "cflp", "capacitated_p_median"])
def test_weight_times_cost_that_is_too_large_is_refused_not_infeasible(model: str) -> None:
    cost = GOOD.copy()
    cost[2] = 1e308
    with pytest.raises(siting.SitingInputError, match="client 2 = inf: weight × cost is too large") as wrong:
        CALLS[model](cost, weights=5)
    assert [(finding.code, finding.clients) for finding in wrong.value.findings] == [("too_large", (2,))]
    assert CALLS[model](np.where(cost > 1e300, 1e14, cost), weights=5).proven


def test_costs_that_are_only_compared_may_be_large_sums_may_not() -> None:
    cost = np.array([[1.0, 1e308], [1e308, 1.0]])
    assert siting.mclp(cost, p=1, limit=1, weights=9).value == 9
    for call in (
        lambda: siting.mclp(cost, p=1, limit=1, weights=1e308),
        lambda: siting.cflp(GOOD, fixed_cost=1e308),
        lambda: siting.cflp(GOOD, fixed_cost=1, demand=1e15),
    ):
        with pytest.raises(siting.SitingInputError, match="too large in all"):
            call()


@pytest.mark.parametrize("limit", [-1, np.nan, [99, 99, 99, np.nan], [1, 2], None])
def test_of_a_wrong_limit_it_is_not_said_that_no_site_can_reach(limit: object) -> None:
    for call in (siting.lscp, siting.backup_coverage):
        with pytest.raises(siting.SitingInputError) as wrong:
            call(GOOD + 5, limit=limit)  # type: ignore[operator]
        assert len(wrong.value.codes) == 1
        assert "unreachable_clients" not in wrong.value.codes
    with pytest.raises(siting.SitingInputError, match="limit = -1: is below 0"):
        siting.lscp(GOOD, limit=-1)


def test_two_sites_are_not_infinitely_far_from_each_other() -> None:
    with pytest.raises(siting.SitingInputError, match="cost is infinite") as wrong:
        siting.p_dispersion([[0, np.inf], [np.inf, 0]], p=2)
    assert wrong.value.codes == ("infinite",)
    with pytest.raises(siting.SitingInputError) as wrong:  # one way only: nothing else is said
        siting.p_dispersion([[0, np.inf, 2], [1, 0, 3], [2, 4, 0]], p=2)
    assert wrong.value.codes == ("infinite", "not_symmetric")


@pytest.mark.parametrize("self_distance", [np.nan, -1.0, np.inf, 7.0])
def test_the_distance_of_a_site_to_itself_is_not_looked_at(self_distance: float) -> None:
    cost = np.array([[0.0, 3, 4], [3, 0, 5], [4, 5, 0]])
    np.fill_diagonal(cost, self_distance)
    best = siting.p_dispersion(cost, p=2)
    assert (best.value, best.status, best.open_sites.tolist()) == (5, "optimal", [1, 2])


def test_findings_of_cflp_name_their_clients() -> None:
    cost = np.array([[1.0, np.inf], [1.0, np.inf], [2.0, 3.0]])
    with pytest.raises(siting.SitingInfeasible) as wrong:
        siting.cflp(cost, fixed_cost=1, demand=[5, 5, 1], capacity=[6, 9])
    assert set(wrong.value.findings[0].clients) & {0, 1}


def test_a_number_of_sites_below_one_is_one_mistake() -> None:
    with pytest.raises(siting.SitingInputError) as error:
        siting.p_median([[1, 2], [2, 1]], p=-3)
    assert error.value.codes == ("p_too_small",)
