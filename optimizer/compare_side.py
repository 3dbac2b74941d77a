"""A plan measured by the needs of the base, so that plans of a comparison share one yardstick."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from optimizer.facts import Facts
from optimizer.run_folder import Run


@dataclass(frozen=True)
class Side:
    """One plan of a comparison, measured by the base's needs.

    `met` has a row per need of the base: community, need, year, district, type, heft (year weight x persons x
    weight), done (heft x share met). `scores` is by community over all years.
    """

    label: str
    facts: Facts
    met: pd.DataFrame = field(repr=False)
    scores: "pd.Series[float]" = field(repr=False)
    same_measure: bool = True

    @property
    def run(self) -> Run:
        """The run folder read."""
        return self.facts.run

    @property
    def by_rule(self) -> bool:
        """Whether the plan was made by a rule and not searched for."""
        return self.run.scenario.rule is not None

    def slack(self, goal: str) -> float:
        """Return how much better the best plan could be than this one, in the unit of the goal; inf if unknown.

        0 for a plan made by a rule: it is what the rule gives, and no search could change it.
        """
        if self.by_rule:
            return 0.0
        value, bound = self.run.stage(goal).get("value"), self.run.bound(goal)
        return float("inf") if value is None or bound is None else abs(float(value) - bound)


def measure(base: Facts) -> pd.DataFrame:
    """Return the yardstick: every need of the base with its amount and its heft in person-needs."""
    beta = dict(zip(base.run.years, base.run.scenario.year_weights(), strict=True))
    frame = base.met[["community", "need", "year", "need_amount", "persons", "weight", "district", "type"]].copy()
    frame["heft"] = frame["year"].map(beta) * frame["persons"] * frame["weight"]
    frame["beta"] = frame["year"].map(beta)
    return frame


def measured(label: str, facts: Facts, needs: pd.DataFrame) -> Side:
    """Return a plan measured by `needs`, the yardstick made by `measure` from the base."""
    keys = ["community", "need", "year"]
    own_beta = dict(zip(facts.run.years, facts.run.scenario.year_weights(), strict=True))
    own = facts.run.met[[*keys, "need_amount", "met_amount", "persons", "weight"]]
    met = needs.merge(own.rename(columns={"need_amount": "own_need", "persons": "own_persons",
                                          "weight": "own_weight"}), how="left", on=keys)  # fmt: skip
    met["share"] = (met["met_amount"].fillna(0.0) / met["need_amount"]).clip(0.0, 1.0)
    met["done"] = met["heft"] * met["share"]
    same = bool(
        np.allclose(met["need_amount"], met["own_need"].fillna(-1.0), rtol=1e-6)
        and np.allclose(met["heft"], met["beta"] * met["own_persons"].fillna(0) * met["own_weight"].fillna(0))
        and (own["need_amount"] > 0).sum() == len(met)
        and np.allclose(met["beta"], met["year"].map(own_beta))
    )
    met["value"] = met["weight"] * met["share"]
    yearly = met.groupby(["community", "year"])[["value", "weight", "beta"]].agg(
        {"value": "sum", "weight": "sum", "beta": "first"}
    )
    yearly = yearly[yearly["weight"] > 0]
    weighted = (yearly["value"] / yearly["weight"] * yearly["beta"]).groupby("community").sum()
    whole = yearly["beta"].groupby("community").sum()
    # In a year without needs all is met (2); the weights of all years make 1.
    scores = (weighted + (1 - whole).clip(lower=0.0)).reindex(list(facts.communities.index))
    return Side(label, facts, met.drop(columns=["value"]), scores, same)
