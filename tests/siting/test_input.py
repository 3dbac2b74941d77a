"""Bad input: a named error with everything that is wrong, never a wrong answer."""

from collections.abc import Callable

import numpy as np
import pytest

from optimizer import siting

GOOD = np.arange(12.0).reshape(4, 3)
CALLS: dict[str, Callable[[np.ndarray], siting.Result]] = {
    "lscp": lambda cost: siting.lscp(cost, limit=100),
    "backup_coverage": lambda cost: siting.backup_coverage(cost, limit=100),
    "mclp": lambda cost: siting.mclp(cost, limit=100, p=1),
    "p_median": lambda cost: siting.p_median(cost, p=1),
    "p_center": lambda cost: siting.p_center(cost, p=1),
    "cflp": lambda cost: siting.cflp(cost, fixed_cost=1.0),
    "capacitated_p_median": lambda cost: siting.capacitated_p_median(cost, p=1, demand=1, capacity=9),
    "p_dispersion": lambda cost: siting.p_dispersion(cost, p=2),
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
