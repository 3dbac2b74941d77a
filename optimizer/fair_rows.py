"""Rows that keep a plan fair: least shares of groups as they are, bounds of inequality by cuts where they are needed.

A bound of the Gini index, equation (27), is one linear row for every order of the communities; the order that a plan
has is the one it breaks most. A bound of the Atkinson index, equation (28), asks that a concave function of degree one
is at least a multiple of the mean; its gradient at any scores gives a row that all plans within the bound keep. So rows
are added only where a plan breaks them, and what is proven with some rows holds for all plans within the bounds (outer
approximation: Kelley 1960, Duran and Grossmann 1986).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np
from scipy.sparse import csr_array, vstack

from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome, Status, relative_gap
from optimizer.indices import equally_distributed
from optimizer.joint import ExtraRows, Joint
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import Floats, Ints, Problem

HOLDS = 1e-6
"""A bound is kept where a plan breaks its row by no more, in mean scores."""
NEARLY = 1e-5
"""What solvers may leave of a row in whole numbers; the same decisions are then fitted exactly."""
ROUNDS, RELAXED_ROUNDS = 60, 300
LEAST_SCORES = (1e-9, 1e-6, 1e-4, 1e-2)
"""Scores of 0 have no gradient; a cut is then taken at scores a little above, the one that cuts most."""

Make = Callable[[Joint], Arrays]
Find = Callable[[Arrays, Floats | None], Outcome]


@dataclass
class Fair:
    """A joint model with the rows of fairness found so far; plans are sought with it until they keep every bound."""

    joint: Joint
    ending: Event = field(default_factory=Event)  # set when the search is to end

    @classmethod
    def of(cls, joint: Joint, ending: Event | None = None) -> "Fair":
        """Begin with the rows of groups, equation (31); `ending` is set when the search is to end."""
        rows = group_rows(joint)
        return cls(joint if rows is None else joint.with_rows(rows), ending or Event())

    @property
    def curved(self) -> bool:
        """Whether there are bounds that need cuts."""
        rule = self.joint.problem.scenario.fairness
        return rule is not None and (rule.gini_at_most is not None or rule.atkinson_at_most is not None)

    def run(self, make: Make, find: Find, start: Floats | None, options: Options) -> Outcome:
        """Return the best plan `find` gets from the model `make` makes that keeps every bound, and a bound of it.

        First relaxed plans, then plans in whole numbers add rows; decisions whose amounts break a bound are fitted
        again. Where the search is ended before that, the best so far, if there is any, with what is proven by then.
        """
        if not self.curved:
            return find(make(self.joint), start)
        self._linear(make, None)
        best: Outcome | None = None
        bound = -np.inf
        for _ in range(ROUNDS):
            outcome = find(make(self.joint), start)
            bound = max(bound, outcome.bound)
            if outcome.x is None:
                return outcome if best is None else _ended(best, bound, Status.FEASIBLE)
            broken = self.cut(outcome.x)
            if broken <= HOLDS:
                return _ended(outcome, bound, outcome.status)
            if self.ending.is_set():
                break
            fitted = self._linear(make, outcome.x)
            if fitted is not None and fitted.value is not None and (best is None or fitted.value < (best.value or 0.0)):
                best = fitted
            if best is None or best.value is None:
                continue
            allowed = max(options.absolute_gap, options.gap * abs(best.value))
            if best.value - bound <= allowed:
                return _ended(best, bound, outcome.status)
            if broken <= NEARLY:  # other rows would change nothing that the solver sees
                return _ended(best, bound, Status.FEASIBLE)
        if best is None and self.ending.is_set():
            return replace(outcome, x=None, value=None, bound=bound, status=Status.NO_PLAN, gap=np.inf)
        if best is None:
            raise RuntimeError("no plan within the bounds of fairness was found in many rounds")
        return _ended(best, bound, Status.FEASIBLE)

    def _linear(self, make: Make, x: Floats | None) -> Outcome | None:
        """Solve with whole numbers relaxed, or as in `x`, until all bounds hold; None where nothing keeps them."""
        for _ in range(RELAXED_ROUNDS):
            arrays = make(self.joint)
            lower, upper = arrays.lower.copy(), arrays.upper.copy()
            if x is not None:
                lower[arrays.integer] = upper[arrays.integer] = np.rint(x[arrays.integer])
            relaxed = np.zeros_like(arrays.integer)
            outcome = solve(replace(arrays, lower=lower, upper=upper, integer=relaxed), Options(), stop=self.ending)
            if outcome.x is None or self.ending.is_set():
                return None
            if self.cut(outcome.x) <= HOLDS:
                return outcome
        return None

    def settled(self, find: Callable[[Joint], Floats | None]) -> Floats | None:
        """Call `find` with more and more rows until its plan keeps every bound; None where it finds none."""
        for _ in range(RELAXED_ROUNDS):
            x = find(self.joint)
            if x is None or not self.curved or self.cut(x) <= HOLDS:
                return x
        return None

    def cut(self, x: Floats) -> float:
        """Add the rows that the plan `x` breaks; return by how much it breaks the worst."""
        joint = self.joint
        rule = joint.problem.scenario.fairness
        assert rule is not None
        who = np.flatnonzero(joint.problem.score_weight.sum(axis=1) > 0)
        score = np.clip(joint.score[who] @ x[: joint.n_columns] + joint.model.score_base[who], 0.0, 1.0)
        rows = dict[str, Floats]()
        if rule.gini_at_most is not None:
            rows["eq27_gini"] = gini_cut(score, rule.gini_at_most)
        if rule.atkinson_at_most is not None:
            rows["eq28_atkinson"] = atkinson_cut(score, rule.atkinson_at_most.epsilon, rule.atkinson_at_most.value)
        broken = {name: float(row @ score) for name, row in rows.items()}
        new = [name for name, much in broken.items() if much > 0.1 * HOLDS]
        if new:
            weights = np.array([rows[name] for name in new])
            limit = -weights @ joint.model.score_base[who]
            matrix = csr_array(csr_array(weights) @ joint.score[who])
            first = 1 if joint.extra is None else 1 + len(joint.extra.names)
            names = tuple(f"{name}({first + n})" for n, name in enumerate(new))
            self.joint = joint.with_rows(ExtraRows(matrix, np.full(len(new), -np.inf), np.asarray(limit), names))
        return max(broken.values(), default=0.0)


def _ended(outcome: Outcome, bound: float, status: Status) -> Outcome:
    return replace(outcome, bound=bound, status=status, gap=relative_gap(outcome.value, bound))


def gini_cut(score: Floats, most: float) -> Floats:
    """(n,) weights whose product with scores is at most 0 in every plan with a Gini index of at most `most`.

    At `score` it is the largest such product: (Gini − `most`) × mean.
    """
    n = len(score)
    rank = np.empty(n)
    rank[np.argsort(score, kind="stable")] = np.arange(1, n + 1)
    return np.asarray((2 * rank - n - 1) / n**2 - most / n)


def atkinson_cut(score: Floats, epsilon: float, most: float) -> Floats:
    """(n,) weights whose product with scores is at most 0 in every plan with an Atkinson index of at most `most`.

    At `score`, where none is 0, it is (Atkinson − `most`) × mean.
    """
    n, found = len(score), list[tuple[float, Floats]]()
    for least in LEAST_SCORES:
        at = np.maximum(score, least)
        gradient = (equally_distributed(at, epsilon) / at) ** epsilon / n
        row = (1 - most) / n - gradient
        found.append((float(row @ score), row))
        if np.array_equal(at, score):
            break
    return max(found, key=lambda pair: pair[0])[1]


def group_rows(joint: Joint) -> ExtraRows | None:
    """Rows of least shares of groups, equation (31); None where there are none."""
    problem = joint.problem
    rule = problem.scenario.fairness
    rows, lower, names = list[Floats](), list[float](), list[str]()
    for g, group in enumerate(rule.groups if rule is not None else []):
        inside = problem.group[:, g]
        if group.least_share_of_money is not None:
            yuan, fixed = money_of_communities(joint)
            part = np.append(inside - group.least_share_of_money, 0.0)  # the last: owned by no community
            rows.append(_wide(joint, yuan * part[owner_of_columns(joint)]))
            lower.append(-float(fixed @ part[:-1]))
            names.append(f"eq31_money({g})")
        if group.least_met_share is not None:
            heft = problem.unmet_weight[:, :, None] * problem.year_weight * (problem.need > 0) * inside[:, None, None]
            flat = heft.ravel()
            if flat.sum() > 0:
                rows.append(_wide(joint, np.asarray(joint.model.met.T @ flat) / flat.sum()))
                lower.append(group.least_met_share - float(joint.model.met_base @ flat) / float(flat.sum()))
                names.append(f"eq31_met({g})")
    if not rows:
        return None
    return ExtraRows(csr_array(vstack([csr_array(r.reshape(1, -1)) for r in rows], format="csr")), np.array(lower),
                     np.full(len(rows), np.inf), tuple(names))  # fmt: skip


def _wide(joint: Joint, row: Floats) -> Floats:
    return np.concatenate([row, np.zeros(joint.n_columns - len(row))])


def money_of_communities(joint: Joint) -> tuple[Floats, Floats]:
    """Return (columns of the programmes,) money a unit costs over the horizon, and (n,) what is paid anyway."""
    problem = joint.problem
    fixed, existing = np.zeros(len(problem.communities)), problem.existing
    own = np.array([s.siting == "own" for s in problem.scenario.services.values()])
    for e in np.flatnonzero(existing.paid & own[existing.service]) if len(existing) else ():
        yuan = np.floor(existing.running_yuan[e] * problem.price_index + 0.5).sum()
        fixed[existing.community[e]] += yuan / MONEY_UNIT_YUAN
    return np.asarray(joint.model.cost.sum(axis=0), dtype=float).ravel(), fixed


def owner_of_columns(joint: Joint) -> Ints:
    """(columns of the programmes,) community whose cost a column is; -1 where costs are shared, equation (19)."""
    problem, model = joint.problem, joint.model
    owner = np.full(model.n_columns, -1, dtype=np.int64)
    for name, family in model.columns.items():
        first = family.keys[0][0]
        if name in ("grant", "relief", "hall_m2"):
            owner[family.positions] = first
        elif name in ("area", "take"):
            owner[family.positions] = np.where(problem.rooms.is_station[first], -1, problem.rooms.community[first])
        elif name in ("open", "size"):
            owner[family.positions] = _of_places(problem, first)
        elif name == "serve":
            owner[family.positions] = _of_places(problem, problem.arcs.target[model.notes["serve_arc"]])
    return owner


def _of_places(problem: Problem, place: Ints) -> Ints:
    return np.asarray(np.where(problem.places.room[place] >= 0, -1, problem.places.community[place]), dtype=np.int64)
