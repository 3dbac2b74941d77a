"""How a plan by rule splits money among communities, equation (37): who is due what, and who has more.

Looked at is whether costs can be dealt out so that nobody has more than is due; which source the ledger names for a
single cost does not matter.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import coo_array

from optimizer.audit.inputs import DEBT_RELIEF, SPACE, WORK_FUNDS, Case, Floats
from optimizer.audit.report import Recorder
from optimizer.audit.rooms import Rooms
from optimizer.audit.rules_money import COST, costs
from optimizer.audit.stations import Stations

SPLITS = ("per_capita", "equal", "last_year_plus")
COLUMNS = ("split_yuan", "apart_yuan")
COUNTED = ["community", "district", "year"]


def check_split(case: Case, stations: Stations, rooms: Rooms, recorder: Recorder) -> None:
    """Check what is split of every source, and that nobody has more than its part, equation (37)."""
    rule = case.scenario.get("rule") or {}
    sources = case.tables["sources"]
    if rule.get("split") not in SPLITS:
        return
    missing = [column for column in COLUMNS if column not in sources.columns]
    if missing:
        recorder.find("columns", f"columns are missing: {', '.join(missing)}", table="sources", value=missing[0])
        return
    forced = _forced(case, stations, rooms)
    _check_money(case, forced, recorder)
    due = costs(case, stations, rooms).set_index(COST)["yuan"].sub(forced, fill_value=0)
    _check_parts(case, rule, due[due > 0].reset_index(), recorder)


def _forced(case: Case, stations: Stations, rooms: Rooms) -> "pd.Series[float]":
    """Costs that come off the top, by `COST`.

    What existing stations cost until they close, and closing; sites that must be taken; grants under a hard floor.
    """
    district = case.communities["district"]
    rows = stations.rows.assign(district=stations.rows["place_community"].map(district))
    rows["community"] = rows["place_community"].where(rows["own"], "")
    once = rows["service"].map({s: (r.get("closing") or {}).get("yuan", 0.0) for s, r in case.services.items()})
    once = once.where((rows["closes"] > 0) & (rows["closes"] == rows["year"]), 0.0).astype(float)
    taken = rooms.rows[rooms.rows["site"].isin(case.places.index[case.places["must"] == "take"])]
    taken = taken.assign(purpose=SPACE, service="", yuan=taken["cost_yuan"], district=taken["user"].map(district))
    taken["community"] = taken["user"].where(taken["site_use"] != "station", "")
    prices = case.prices(rows["year"])
    every = [
        rows.assign(purpose="service_running", yuan=np.floor(rows["old_yuan"] * prices + 0.5)),
        rows.assign(purpose="service_capital", community="", yuan=np.floor(once * prices + 0.5)),
        taken,
    ]
    if case.scenario["programmes"]["work_funds"]["hard_floor"]:
        grants = case.tables["grants"]
        grants = grants.assign(purpose=WORK_FUNDS, service="", site="", yuan=grants["grant_yuan"])
        every.append(grants.assign(district=grants["community"].map(district)))
    frame = pd.concat([part[[*COST, "yuan"]] for part in every], ignore_index=True)
    return frame.astype({column: str for column in COST if column != "year"}).groupby(COST)["yuan"].sum()


def _check_money(case: Case, forced: "pd.Series[float]", recorder: Recorder) -> None:
    """What is split, set apart for floors and off the top makes up all new money."""
    sources = case.tables["sources"]
    sources = sources.sort_values(["source", "year"]).assign(parted=sources["split_yuan"] + sources["apart_yuan"])
    parted = sources["parted"]
    so_far = sources.groupby("source")[["parted", "amount_yuan"]].cumsum()
    recorder.judge(
        "split_money", "sources", sources.assign(**so_far), (so_far["parted"] <= so_far["amount_yuan"]).to_numpy(),
        key=("source", "year"), value="parted", limit="amount_yuan",
        message="{value} yuan of {source} are split or set apart until {year}; the new money until then is {limit}",
    )  # fmt: skip
    total = int(sources["amount_yuan"].sum() - parted.sum())
    recorder.checked("split_money", 1)
    if total != int(forced.sum()):
        recorder.find(
            "split_money", f"{total} yuan come off the top; what must be paid costs {forced.sum():.0f}",
            table="sources", value=total, limit=int(forced.sum()),
        )  # fmt: skip


def keys(case: Case, rule: dict[str, Any]) -> "pd.Series[float]":
    """What a community's part is in proportion to, by community."""
    frame = case.communities
    if rule["split"] == "per_capita":
        return frame["population"].astype(float)
    if rule["split"] == "last_year_plus":
        given = rule.get("last_year_yuan")
        return frame["last_year_yuan"].astype(float).fillna(0.0 if given is None else float(given))
    return pd.Series(1.0, frame.index)


def parts(case: Case, rule: dict[str, Any]) -> dict[tuple[str, str, int], float]:
    """Most yuan that is due by (source, community, year): its part, rounded up, of what is split."""
    frame, key = case.communities, keys(case, rule)
    peak = case.needs["need_amount"].groupby(["community", "need"]).max().unstack("need").reindex(frame.index)
    had = (frame["office_area_m2"] - frame["others_m2"]).clip(lower=0.0)
    short = peak > 0
    short[SPACE] &= had < peak[SPACE]
    money = case.tables["sources"].set_index(["source", "year"])["split_yuan"]
    found = dict[tuple[str, str, int], float]()
    for name, source in case.scenario["sources"].items():
        may = pd.Series(False, frame.index)
        debts = [DEBT_RELIEF] if DEBT_RELIEF in short else []
        for need in (WORK_FUNDS, SPACE, *debts, *case.services):
            purposes = ["service_capital", "service_running"] if need in case.services else [need]
            own = need not in case.services or case.services[need]["siting"] == "own"
            service = need if need in case.services else ""
            for purpose in purposes:
                can = [
                    may_pay(source, purpose, service, district, community if own else "", kind if own else "")
                    for community, district, kind in zip(frame.index, frame["district"], frame["type"], strict=True)
                ]
                may |= np.array(can, dtype=bool) & short[need]
        of = key.where(may, 0.0)
        for year in case.years:
            yuan = np.ceil(of.to_numpy() / max(of.sum(), 1e-9) * float(money.get((name, year), 0.0)) - 1e-6)
            found |= {(name, str(c), year): float(most) for c, most in zip(of.index, yuan, strict=True) if most > 0}
    return found


def may_pay(source: dict[str, Any], purpose: str, service: str, district: str, community: str, kind: str) -> bool:
    """Whether a source may pay a cost, equation (21)."""
    if purpose not in source["purposes"] or (source["districts"] and district not in source["districts"]):
        return False
    if source["services"] and service and service not in source["services"]:
        return False
    if not source["communities"] and not source["types"]:
        return True
    return bool(community) and (community in source["communities"] or kind in source["types"])


@dataclass
class _Deal:
    """A linear programme that deals the `yuan` (costs,) of costs out to payments within limits."""

    yuan: Floats
    paid: list[int] = field(default_factory=list)  # the cost that each payment is for
    entries: list[tuple[int, int]] = field(default_factory=list)  # (limit, payment)
    limits: dict[tuple[Any, ...], int] = field(default_factory=dict)
    most: list[float] = field(default_factory=list)

    def limit(self, key: tuple[Any, ...], most: float) -> int:
        """Return the row of a limit, made where there is none yet."""
        if key not in self.limits:
            self.limits[key] = len(self.most)
            self.most.append(most)
        return self.limits[key]

    def pay(self, cost: int, limits: list[int]) -> None:
        """Add a payment of a cost that counts for some limits."""
        self.entries += [(row, len(self.paid)) for row in limits]
        self.paid.append(cost)

    def lacks(self) -> Floats:
        """Return (costs,) yuan that no payment is left for, as few as can be."""
        n, m = len(self.yuan), len(self.paid)
        if not m:
            return self.yuan
        rows, at = np.array(self.entries, dtype=np.int64).T
        under = coo_array((np.ones(len(rows)), (rows, at)), shape=(len(self.most), m + n))
        cost = np.concatenate([np.array(self.paid, dtype=np.int64), np.arange(n)])
        equal = coo_array((np.ones(m + n), (cost, np.arange(m + n))), shape=(n, m + n))
        goal = np.concatenate([np.zeros(m), np.ones(n)])
        limits: Any = {"A_ub": under, "b_ub": np.array(self.most), "A_eq": equal, "b_eq": self.yuan}
        found: Any = linprog(goal, **limits, method="highs")
        return np.asarray(found.x[m:], dtype=float)


def _check_parts(case: Case, rule: dict[str, Any], due: pd.DataFrame, recorder: Recorder) -> None:
    """Deal the costs `due` out to the parts of communities and districts; what is left over is above them."""
    kinds = case.communities["type"].to_dict()
    sources = case.scenario["sources"]
    columns = (due[column] for column in ("purpose", "service", "district", "community"))
    payers = [
        " ".join(
            name for name in sorted(sources) if may_pay(sources[name], purpose, service, district, community, kind)
        )
        for purpose, service, district, community in zip(*columns, strict=True)
        for kind in [kinds.get(community, "")]
    ]
    due = due.assign(payers=payers)
    costs_of = due.groupby([*COUNTED, "payers"], sort=True)["yuan"].agg(yuan="sum", rows="size").reset_index()
    part, claims = parts(case, rule), _claims(case, rule)
    together = bool(case.tables["sources"]["apart_yuan"].any())
    lacks = np.zeros(len(costs_of))
    for _, mine in [("", costs_of)] if together else costs_of.groupby("district"):
        lacks[mine.index] = _lacks(case, mine, part, claims)
    # A cost of whole yuan may be a yuan above what it was when the rule paid for it.
    frame = costs_of.assign(over=np.rint(np.maximum(0.0, lacks - costs_of["rows"])))
    frame = frame.groupby(COUNTED)[["yuan", "over"]].sum().reset_index()
    who = np.where(frame["community"] == "", "shared stations of " + frame["district"], frame["community"])
    recorder.judge(
        "split_part", "ledger", frame.assign(who=who), (frame["over"] <= 0).to_numpy(),
        key=("community", "district", "year"), value="yuan", limit="over",
        message="{who}: of {value} yuan in {year}, {limit} are above what is due of the split by the rule",
    )  # fmt: skip


def _claims(case: Case, rule: dict[str, Any]) -> dict[tuple[str, int], float]:
    """Most a community may spend in a year, by (community, year); empty where the rule does not say."""
    if rule["split"] != "last_year_plus":
        return {}
    return {
        (str(community), year): float(np.floor(had * (1 + rule["growth"]) ** (t + 1) + 1e-6))
        for community, had in keys(case, rule).items()
        for t, year in enumerate(case.years)
    }


def _lacks(
    case: Case, costs_of: pd.DataFrame, part: dict[tuple[str, str, int], float], claims: dict[tuple[str, int], float]
) -> Floats:
    """Return (costs,) yuan that no part of a community or district is left for."""
    area = case.communities["district"].to_dict()
    by_district: dict[tuple[str, str, int], float] = {}
    for (source, community, year), yuan in part.items():
        key = (source, area[community], year)
        by_district[key] = by_district.get(key, 0.0) + yuan
    claimed: dict[tuple[str, int], float] = {}
    for (community, year), yuan in claims.items():
        claimed[area[community], year] = claimed.get((area[community], year), 0.0) + yuan
    apart = case.tables["sources"].set_index(["source", "year"])["apart_yuan"]
    deal = _Deal(costs_of["yuan"].to_numpy(dtype=float))
    rows = zip(costs_of["community"], costs_of["district"], costs_of["year"], costs_of["payers"], strict=True)
    for n, (community, district, year, payers) in enumerate(rows):
        always = [deal.limit(("claims", district, year), claimed[district, year])] if claims else []
        if claims and community:
            always.append(deal.limit(("claim", community, year), claims[community, year]))
        for source in payers.split():
            for of in _years_of(case, source, year):
                limits = [deal.limit((source, "", district, of), by_district.get((source, district, of), 0.0))]
                if community:
                    limits.append(deal.limit((source, community, "", of), part.get((source, community, of), 0.0)))
                deal.pay(n, [*always, *limits])
            kept = float(apart.get((source, year), 0.0))
            if kept:
                deal.pay(n, [*always, deal.limit(("apart", source, year), kept)])
    return deal.lacks()


def _years_of(case: Case, source: str, year: int) -> list[int]:
    """Years whose money a source may spend in a year."""
    rule = case.scenario["sources"][source]
    carries = rule["carry_limit_share"] or rule.get("carry_limit_yuan")
    lasts = (rule.get("lasts_years") or len(case.years)) if carries else 1
    return [of for of in case.years if year - lasts < of <= year]
