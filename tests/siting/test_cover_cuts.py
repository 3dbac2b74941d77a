"""Cuts hold for every cover and cut off the relaxed one; by hand and against all choices."""

from itertools import product

import numpy as np
import pytest
from scipy import sparse

from optimizer.siting.cover_cuts import cuts
from optimizer.siting.cover_relaxed import RelaxedCover
from optimizer.siting.limits import Limits


def _covers(allowed: np.ndarray) -> np.ndarray:
    """All covers, one a row."""
    choices = np.array(list(product([0.0, 1.0], repeat=allowed.shape[1])))
    return choices[((choices @ allowed.T.astype(float)) >= 1).all(axis=1)]


def _random(seed: int, clients: int, sites: int, each: int) -> np.ndarray:
    order = np.random.default_rng(seed).random((clients, sites)).argsort(axis=1)
    return np.asarray(order < each)


def test_of_three_sites_for_three_pairs_two_are_needed() -> None:
    allowed = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], bool)
    y = np.full(3, 0.5)
    new = cuts(sparse.csr_matrix(allowed.astype(float)), allowed, y)
    assert new.shape[0] > 0
    for row in new.toarray():  # for every pair of clients the same: half of each site
        assert row == pytest.approx([0.5, 0.5, 0.5])


def test_a_cover_is_not_cut_off() -> None:
    allowed = _random(1, 12, 8, 3)
    for cover in _covers(allowed)[:20]:
        assert cuts(sparse.csr_matrix(allowed.astype(float)), allowed, cover).shape[0] == 0


@pytest.mark.parametrize("seed", range(15))
def test_rows_hold_for_all_covers_and_not_for_the_relaxed_one(seed: int) -> None:
    allowed = _random(seed, 14 + seed % 4, 10, 3)
    covers = _covers(allowed)
    relaxed = RelaxedCover(allowed, Limits())
    outcome, before = relaxed.solved(relaxed.root), -np.inf
    for _ in range(5):
        assert outcome.x is not None
        bound = relaxed.dual(outcome)[0]
        assert before - 1e-9 <= bound <= covers.sum(axis=1).min() + 1e-9
        known, before = relaxed.rows.shape[0], bound
        if not relaxed.cut(outcome.x):
            break
        new = relaxed.rows[known:]
        assert (new @ outcome.x < 1).all()
        assert (new @ covers.T >= 1 - 1e-9).all()
        outcome = relaxed.solved(relaxed.root)


@pytest.mark.parametrize("seed", range(15))
def test_rows_hold_for_all_choices_where_clients_may_be_left_out(seed: int) -> None:
    allowed, random = _random(seed, 12, 8, 3), np.random.default_rng(seed)
    weight = random.integers(1, 9, 12).astype(float)
    choices = np.array([choice for choice in product([0.0, 1.0], repeat=8) if sum(choice) == 2])
    left = (choices @ allowed.T.astype(float) < 1).astype(float)
    plans, best = np.hstack([choices, left]), (left @ weight).min()
    relaxed = RelaxedCover(allowed, Limits(), weight, 2)
    outcome = relaxed.solved(relaxed.root)
    for _ in range(5):
        assert outcome.x is not None
        assert relaxed.dual(outcome)[0] <= best + 1e-9
        if not relaxed.cut(outcome.x):
            break
        assert (relaxed.rows @ plans.T >= 1 - 1e-9).all()
        relaxed.drop_loose(outcome.x, 0.5)
        outcome = relaxed.solved(relaxed.root)


def test_rows_hold_for_all_covers_wherever_they_are_looked_for() -> None:
    """What is cut off need not be a relaxed cover: the rows hold whatever their multipliers are."""
    random = np.random.default_rng(0)
    for seed in range(20):
        allowed = _random(seed, 12, 9, 3)
        new = cuts(sparse.csr_matrix(allowed.astype(float)), allowed, random.random(9) * 0.6)
        assert (new @ _covers(allowed).T >= 1 - 1e-9).all()
