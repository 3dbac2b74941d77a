"""A tiny city and a correct plan for it, solved by hand, with which the tests of the audit start.

Seven communities in a row, 1 km apart: a (plain), b (fringe, poor), c (another district, no office), d (rich, so it
gets no money), and e, f and g (rich too, all that they need is there, and so many that d may be set aside). Two
services: `desk` at the own office, `clinic` shared. Two years, prices rise by a tenth, weights of the years are 5/9 and
4/9. The tables of decisions below are written by hand; `derived` counts up what follows from them.
"""

import copy
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import LineString, Point, box

from optimizer.problem import Floats
from optimizer.scenario import Goal, Scenario
from optimizer.scenario_file import resolved_yaml
from optimizer.source_ledger import source_ledger

YEARS = [2007, 2008]
UNITS = {"worst_off": "score", "unmet_need": "person-needs", "travel": "person-metres", "spending": "yuan"}
BETA = {2007: 5 / 9, 2008: 4 / 9}
X, Y = 500_000.0, 3_480_000.0

COMMUNITIES = """community,district,sub_district,type,population,households,hardship,own_income_yuan
a,east,s1,residential,1000,400,0,200000
b,east,s1,fringe,2000,800,0.5,0
c,west,s2,residential,500,200,0,0
d,east,s1,residential,800,300,0,2000000
e,east,s3,residential,100,40,0,2000000
f,east,s3,residential,100,40,0,2000000
g,east,s3,residential,100,40,0,2000000
"""
SITES = """site,community,use,instrument,area_m2,min_area_m2,fixed_yuan,capital_yuan_per_m2,yearly_yuan_per_m2,\
first_year,lead_years,hours_per_week,services,x,y
oa,a,office,existing,100,0,0,0,0,0,0,40,,500,500
ob,b,office,existing,60,0,0,0,0,0,0,40,,1500,500
od,d,office,existing,400,0,0,0,0,0,0,40,,3500,500
ea,a,extension,renovate,200,50,1000,100,5,2007,1,40,,500,500
ec,c,extension,build,100,0,0,50,0,2008,0,40,,2500,400
ed,d,extension,build,100,0,0,10,0,0,0,40,,3500,500
ha,a,hall,share,100,0,0,0,10,0,0,20,,700,600
sb,b,station,build,120,40,5000,200,3,0,0,40,clinic,1500,700
"""
FACILITIES = """facility,community,site,service,level,capacity,area_m2,running_yuan,x,y
f1,a,,desk,station,440,20,1000,500,500
f2,a,,clinic,outlet,100,10,500,510,500
fc,c,,clinic,centre,200,50,2000,2500,800
f4,d,,desk,station,300,30,700,3500,500
fe,e,,clinic,outlet,10,0,0,4500,500
ff,f,,clinic,outlet,10,0,0,5500,500
fg,g,,clinic,outlet,10,0,0,6500,500
"""
STREETS = [("s1", 500, 1500, None), ("s2", 1500, 2500, 1100.0), ("s3", 2500, 3500, None)]  # along y = 600
NEEDS = """community,need,amount,persons
a,clinic,600,600
b,clinic,1000,900
c,clinic,250,250
d,clinic,160,160
e,clinic,1,1
f,clinic,1,1
g,clinic,1,1
a,desk,500,
b,desk,300,
c,desk,100,
d,desk,200,
"""
SCENARIO: dict[str, Any] = {
    "name": "tiny",
    "title": "Seven communities",
    "horizon": {"first_year": 2007, "years": 2, "price_growth": 0.1, "discount": 0.25},
    "types": {"residential": {"weights": {"clinic": 2}}, "fringe": {"care": 0.2}},
    "guidance": {
        "rich": {"when": {"own_income_yuan": {"at_least": 1_000_000}}, "purposes": []},
        "poor": {
            "when": {"office_area_m2": {"at_most": 80}, "own_income_yuan_per_person": {"at_most": 100}},
            "purposes": ["work_funds", "space", "services"],
        },
        "general": {"purposes": ["work_funds", "space", "services"]},
    },
    "programmes": {
        "work_funds": {"floor_yuan": 10_000, "ceiling_yuan": 13_000, "care_hardship": 0.4},
        "space": {"target_m2": 300},
        "services": {
            "clinic": {
                "unit": "visits",
                "siting": "network",
                "limit_m": 1500,
                "within": "district",
                "fixed_yuan": 2000,
                "capital_yuan_per_unit": 10,
                "running_yuan": 1000,
                "running_yuan_per_unit": 2,
                "area_m2_per_unit": 0.1,
                "min_capacity": 100,
                "max_capacity": 800,
            },
            "desk": {
                "unit": "cases",
                "siting": "own",
                "fixed_yuan": 100,
                "capital_yuan_per_unit": 1,
                "running_yuan": 50,
                "running_yuan_per_unit": 0.5,
                "area_m2_per_unit": 0.05,
                "min_capacity": 50,
                "max_capacity": 1000,
                "growth": 0.1,
            },
        },
    },
    "sources": {
        "city": {"role": "city", "amount_yuan": [75_000, 40_000], "carry_limit_share": 0.2},
        "east": {"role": "district", "districts": ["east"], "amount_yuan": 30_000},
        "west": {"role": "district", "districts": ["west"], "amount_yuan": 10_000},
        "donor": {"role": "donor", "types": ["fringe"], "purposes": ["space", "service_capital"], "amount_yuan": 5000},
        "lottery": {
            "role": "lottery",
            "services": ["clinic"],
            "purposes": ["service_running"],
            "amount_yuan": 4000,
            "ceiling_share": {"service_running": 0.5},
        },
    },
    "co_funding": [{"purpose": "work_funds", "of": "city", "ratio": 0.5}],
}

# Entitled: 10,000 x prices x (1 + care): b 1 + 0.2 + 0.4 x 0.5 = 1.4, but no more than 13,000 x prices.
GRANTS = """community,year,entitled_yuan,grant_yuan,class
a,2007,10000,10000,general
a,2008,11000,11000,general
b,2007,14000,13000,poor
b,2008,15400,14300,poor
c,2007,10000,8000,poor
c,2008,11000,11000,poor
d,2007,0,0,rich
d,2008,0,0,rich
e,2007,0,0,rich
e,2008,0,0,rich
f,2007,0,0,rich
f,2008,0,0,rich
g,2007,0,0,rich
g,2008,0,0,rich
"""
# ea: 150 m2 for 1,000 + 150 x 100, a year later 1.1 x 5 x 150 a year. ha: 100 m2 x 20 / 40 hours = 50 m2 to share.
SPACE = """community,year,instrument,area_m2,cost_yuan,site,use
a,2007,renovate,0,16000,ea,extension
a,2008,renovate,150,825,ea,extension
c,2008,build,100,5500,ec,extension
a,2007,share,20,200,ha,hall
a,2008,share,20,220,ha,hall
b,2007,share,30,300,ha,hall
b,2008,share,30,330,ha,hall
b,2007,build,80,21240,sb,station
b,2008,build,80,264,sb,station
"""
# Peaks of desk: a 550, b 330, c 110. a: 440 are there, 110 are added in 2008. c has 55, at a place named like itself.
STATIONS = """site,service,level,year,status,capacity,area_m2,capital_yuan,running_yuan,community,district
oa,desk,station,2007,existing,440,20,0,1000,a,east
oa,desk,station,2008,upgraded,550,25.5,231,1216,a,east
ob,desk,station,2007,opened,330,16.5,430,215,b,east
ob,desk,station,2008,kept,330,16.5,0,237,b,east
c,desk,station,2008,opened,55,2.75,171,85,c,west
od,desk,station,2007,existing,300,30,0,0,d,east
od,desk,station,2008,existing,300,30,0,0,d,east
oa,clinic,outlet,2007,existing,100,10,0,500,a,east
oa,clinic,outlet,2008,existing,100,10,0,550,a,east
fe,clinic,outlet,2007,existing,10,0,0,0,e,east
fe,clinic,outlet,2008,existing,10,0,0,0,e,east
ff,clinic,outlet,2007,existing,10,0,0,0,f,east
ff,clinic,outlet,2008,existing,10,0,0,0,f,east
fg,clinic,outlet,2007,existing,10,0,0,0,g,east
fg,clinic,outlet,2008,existing,10,0,0,0,g,east
fc,clinic,centre,2007,existing,200,50,0,2000,c,west
fc,clinic,centre,2008,existing,200,50,0,2200,c,west
sb,clinic,station,2007,opened,800,80,10000,2600,b,east
sb,clinic,station,2008,kept,800,80,0,2860,b,east
"""
# a to sb: 100 m to the street, 1,000 along it, 100 to the building.
ASSIGNMENTS = """community,site,service,year,amount,travel_m
a,oa,desk,2007,400,0
a,oa,desk,2008,550,0
b,ob,desk,2007,300,0
b,ob,desk,2008,330,0
c,c,desk,2008,55,0
a,oa,clinic,2007,100,0
a,oa,clinic,2008,100,0
a,sb,clinic,2007,300,1200
a,sb,clinic,2008,300,1200
b,sb,clinic,2007,500,200
b,sb,clinic,2008,500,200
c,fc,clinic,2007,200,300
c,fc,clinic,2008,200,300
e,fe,clinic,2007,1,0
e,fe,clinic,2008,1,0
f,ff,clinic,2007,1,0
f,ff,clinic,2008,1,0
g,fg,clinic,2007,1,0
g,fg,clinic,2008,1,0
"""
LEDGER = """source,purpose,district,community,year,yuan,service,site
city,work_funds,east,a,2007,10000,,
city,work_funds,east,b,2007,5000,,
east,work_funds,east,b,2007,8000,,
city,work_funds,west,c,2007,5000,,
west,work_funds,west,c,2007,3000,,
city,work_funds,east,a,2008,11000,,
city,work_funds,east,b,2008,5000,,
east,work_funds,east,b,2008,9300,,
city,work_funds,west,c,2008,7000,,
west,work_funds,west,c,2008,4000,,
city,space,east,a,2007,16000,,ea
city,space,east,a,2007,200,,ha
donor,space,east,b,2007,300,,ha
city,space,east,,2007,21240,,sb
city,space,east,a,2008,825,,ea
west,space,west,c,2008,5500,,ec
city,space,east,a,2008,220,,ha
donor,space,east,b,2008,330,,ha
city,space,east,,2008,264,,sb
city,service_capital,east,,2007,10000,clinic,sb
donor,service_capital,east,b,2007,430,desk,ob
city,service_capital,east,a,2008,231,desk,oa
city,service_capital,west,c,2008,171,desk,c
lottery,service_running,east,,2007,2000,clinic,sb
city,service_running,east,,2007,600,clinic,sb
city,service_running,east,,2007,500,clinic,oa
west,service_running,west,,2007,2000,clinic,fc
city,service_running,east,a,2007,1000,desk,oa
city,service_running,east,b,2007,215,desk,ob
lottery,service_running,east,,2008,2000,clinic,sb
city,service_running,east,,2008,860,clinic,sb
city,service_running,east,,2008,550,clinic,oa
city,service_running,west,,2008,2200,clinic,fc
city,service_running,east,a,2008,1216,desk,oa
city,service_running,east,b,2008,237,desk,ob
city,service_running,west,c,2008,85,desk,c
"""
ONE_STOP = ["site", "community", "services", "area_m2", "alone_m2", "cost_yuan", "alone_yuan", "saved_yuan"]
DECISIONS = {
    "grants": GRANTS,
    "space": SPACE,
    "stations": STATIONS,
    "assignments": ASSIGNMENTS,
    "ledger": LEDGER,
}
# By hand (a, b, c in the order of work funds, space, clinic, desk; see the docstring of `derived`).
BY_HAND = {
    "worst_off": 5 / 9 * 2.4 / 5 + 4 / 9 * (1 + 1 / 3 + 1.6 + 0.5) / 5,  # c; d can reach nothing and is set aside
    "unmet_need": (3400 / 9 + 400 + 500 / 9) + (2000 / 14 + 1400 + 450) + (500 / 9 + 11500 / 27 + 100 + 700 / 9) + 320,
    "travel": 600 * 0.5 * 1200 + 900 * 0.5 * 200 + 250 * 0.8 * 300,
    "spending": 136_474.0,
}


def frame(text: str) -> pd.DataFrame:
    """Read a table written above; empty cells of text stay empty."""
    table = pd.read_csv(io.StringIO(text))
    words = [column for column in table.columns if not pd.api.types.is_numeric_dtype(table[column])]
    for column in (*words, *({"site", "service", "services", "community"} & set(table.columns))):
        table[column] = table[column].astype(object).where(table[column].notna(), "").astype(str)
    return table


@dataclass
class Plan:
    """City, scenario and tables; the corruptions of the tests change one of them."""

    city: dict[str, pd.DataFrame]
    scenario: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    record: dict[str, Any] = field(default_factory=dict)
    city_changed: bool = False

    def set(self, table: str, where: dict[str, Any], **values: Any) -> None:
        """Set values in the rows of a table (or of the city) that agree with `where`; there must be some."""
        frame = self.tables[table] if table in self.tables else self.city[table]
        self.city_changed |= table not in self.tables
        rows = self.rows(frame, where)
        for column, value in values.items():
            kind = frame[column].dtype
            if pd.api.types.is_numeric_dtype(kind) and isinstance(value, float):
                frame[column] = frame[column].astype(float)
            elif isinstance(value, str):
                frame[column] = frame[column].astype(object)
            frame.loc[rows, column] = value

    @staticmethod
    def rows(frame: pd.DataFrame, where: dict[str, Any]) -> "pd.Series[bool]":
        """Rows that agree with `where`."""
        rows = pd.Series(True, index=frame.index)
        for column, value in where.items():
            rows &= frame[column] == value
        assert rows.any(), f"no row where {where}"
        return rows

    def add(self, table: str, **values: Any) -> None:
        """Append a row."""
        row = pd.DataFrame([values], columns=list(self.tables[table].columns))
        self.tables[table] = pd.concat([self.tables[table], row], ignore_index=True)

    def drop(self, table: str, where: dict[str, Any]) -> None:
        """Drop rows."""
        frame = self.tables[table]
        self.tables[table] = frame[~self.rows(frame, where)].reset_index(drop=True)

    def pay(self, source: str, purpose: str, year: int, yuan: int, **where: str) -> None:
        """Set what a source pays for a cost that stands in the ledger."""
        self.set("ledger", {"source": source, "purpose": purpose, "year": year, **where}, yuan=yuan)


@cache
def _written() -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The city and the decisions as they are written above."""
    city = {
        "communities": frame(COMMUNITIES),
        "sites": frame(SITES),
        "facilities": frame(FACILITIES),
        "needs": frame(NEEDS),
        "streets": pd.DataFrame(STREETS, columns=["street", "from", "to", "length_m"]),
    }
    return city, {name: frame(text) for name, text in DECISIONS.items()}


def correct_plan() -> Plan:
    """Return the city and the decisions of the correct plan; `derived` is still to be called."""
    city, tables = _written()
    return Plan(
        {name: table.copy() for name, table in city.items()},
        copy.deepcopy(SCENARIO),
        {name: table.copy() for name, table in tables.items()},
    )


def derived(plan: Plan) -> None:
    """Add the tables of met needs, scores and sources, and the record, as they follow from the decisions.

    Unmet person-needs by hand: a: space 1000 (5/9 x 0.6 + 4/9 x 0.1) = 3400/9, clinic 600 x 2/3, desk 500 x 5/9 x 0.2;
    b: work funds 2000/14, space 2000 x 0.7, clinic 900/2; c: work funds 500 x 5/9 x 0.2, space 500 (5/9 + 4/9 x 2/3)
    = 11500/27, clinic 250 x 2 x 0.2, desk 100 (5/9 + 4/9 / 2); d: clinic 160 x 2.
    """
    met = _met(plan)
    plan.tables["met"] = met
    scores, worst, aside = _scores(met)
    plan.tables["scores"], plan.tables["sources"] = scores, _sources(plan)
    rules = Scenario(**plan.scenario)
    plan.tables["source_ledger"] = source_ledger(rules, plan.tables["ledger"], plan.tables["sources"])
    plan.tables["one_stop"] = pd.DataFrame(columns=ONE_STOP)  # nothing but the clinic is in the only building
    beta = met["year"].map(BETA)
    served = plan.tables["assignments"].merge(
        met.rename(columns={"need": "service"}), on=["community", "service", "year"]
    )
    share = served["amount"] / served["need_amount"].where(served["need_amount"] > 0, 1)
    values = {
        "worst_off": worst,
        "unmet_need": float(
            (beta * met["persons"] * met["weight"] * (1 - met["met_amount"] / met["need_amount"]).fillna(0)).sum()
        ),
        "travel": float((served["year"].map(BETA) * served["persons"] * share * served["travel_m"]).sum()),
        "spending": float(plan.tables["ledger"]["yuan"].sum()),
    }
    plan.record = {
        "scenario": "tiny",
        "title": "Seven communities",
        "status": "proven",
        "stages": [stage(goal, values[str(goal.goal)]) for goal in rules.goals if goal.goal in values],
        "not_reached": [],
        "gap": 0.0,
        "method": "whole",
        "currency": rules.currency.model_dump(),
        "fairness": fairness(plan),
        "closest_to": "",
        "decisions_that_differ": None,
        "audit": {"passed": True, "checks": [], "findings": []},
        "versions": {},
        "seed": rules.solver.seed,
        "threads": rules.solver.threads,
        "set_aside": aside,
        "one_stop": {"buildings": 0, "saved_yuan": 0},
        "classes": {"a": "general", "b": "poor", "c": "poor", **dict.fromkeys("defg", "rich")},
        "years": YEARS,
    }


def stage(rule: Goal, value: float) -> dict[str, Any]:
    """The stage of a goal that nothing can be better in."""
    proven = {
        "bound": value,
        "gap": 0.0,
        "status": "proven",
        "scope": "all plans",
        "tolerance": rule.tolerance,
        "seconds": 1.0,
    }
    return {"goal": rule.goal, "unit": UNITS[rule.goal], "value": value, **proven}


def fairness(plan: Plan) -> dict[str, Any]:
    """The part `fairness` of the record; `evenly` of the tests has the same counted by hand for the correct plan."""
    met = plan.tables["met"]
    met = met[met["need_amount"] > 0].assign(share=lambda f: f["met_amount"] / f["need_amount"])
    people = plan.city["communities"].set_index("community")["population"].astype(float)
    rule = (plan.scenario.get("fairness") or {}).get("atkinson_at_most") or {"epsilon": 0.5}
    said: dict[str, Any] = {"epsilon": rule["epsilon"]}
    for when, share in (("before", _before(plan, met)), ("after", met["share"])):
        heft = met["weight"] * met["year"].map(BETA)
        years = met.groupby(["community", "year"])["weight"].transform("sum")
        score = (heft * share / years).groupby(met["community"]).sum()
        said[when] = indices(score.to_numpy(), people.reindex(score.index).to_numpy(), float(rule["epsilon"]))
    return {**said, "envy": _envy(plan, met, people)}


def indices(score: Floats, people: Floats, epsilon: float) -> dict[str, float]:
    """Mean, Gini, Atkinson and Theil of scores, by community and by resident, (27) to (29)."""
    said: dict[str, float] = {}
    for end, w in (("", np.ones(len(score))), ("_persons", people)):
        part = w / w.sum()
        mean = float(part @ score)
        spread = float(part @ np.abs(score[:, None] - score[None, :]) @ part)
        alike = float(part @ score ** (1 - epsilon)) ** (1 / (1 - epsilon))
        some = score > 0
        theil = float((part * score / mean)[some] @ np.log(score[some] / mean))
        said |= {f"mean{end}": mean, f"gini{end}": spread / (2 * mean)}
        said |= {f"atkinson{end}": 1 - alike / mean, f"theil{end}": theil}
    return said


def _before(plan: Plan, met: pd.DataFrame) -> "pd.Series[float]":
    """Met shares of what stands: offices, and existing stations for those sent there in the first year."""
    office = plan.city["sites"].query("use == 'office'").set_index("community")[["site", "area_m2"]]
    old = plan.city["facilities"].copy()
    at_office = old["community"].map(office["site"]).fillna(old["facility"])
    old["site"] = old["site"].where(old["site"] != "", at_office)
    there = old.groupby(["site", "service"])["capacity"].sum().to_dict()
    first = plan.tables["assignments"].query("year == @YEARS[0]")
    asked = first.groupby(["site", "service"])["amount"].sum().to_dict()
    kept: dict[tuple[str, str], float] = {}
    for row in first.to_dict("records"):
        at, who = (row["site"], row["service"]), (str(row["community"]), str(row["service"]))
        kept[who] = kept.get(who, 0.0) + row["amount"] * min(1.0, there.get(at, 0.0) / asked[at])
    need = met[met["year"] == YEARS[0]].set_index(["community", "need"])["need_amount"].to_dict()
    shares = []
    for row in met.to_dict("records"):
        who = (row["community"], row["need"])
        had = office["area_m2"].get(row["community"], 0.0) if row["need"] == "space" else kept.get(who, 0.0)
        shares.append(min(1.0, had / (row["need_amount"] if row["need"] == "space" else need[who])))
    return pd.Series(shares, met.index)


def _envy(plan: Plan, met: pd.DataFrame, people: "pd.Series[float]") -> dict[str, Any]:
    """Pairs of one type with reason for envy, (30)."""
    kind = plan.city["communities"].set_index("community")["type"]
    heft = met["persons"] * met["weight"] * met["year"].map(BETA)
    need, got = ((heft * part).groupby(met["community"]).sum() / people for part in (1.0, met["share"]))
    pairs = [
        {
            "community": a, "other": b, "got_share": got[a] / got[b], "need_per_resident": need[a],
            "other_need_per_resident": need[b],
        }
        for a in people.index
        for b in people.index
        if a != b and kind[a] == kind[b] and min(need[a], need[b]) >= 0.9 * max(need[a], need[b])
        if got[b] > 0 and got[a] <= 0.8 * got[b]
    ]  # fmt: skip
    pairs.sort(key=lambda pair: pair["got_share"])
    return {"alike": 0.9, "clearly_less": 0.8, "pairs": len(pairs), "worst": pairs}


def _met(plan: Plan) -> pd.DataFrame:
    """Needs of each community and what the tables give; the rich ones have no needs but clinic."""
    rich, entitled = set("defg"), {"a": 10_000, "b": 14_000, "c": 10_000}
    office = plan.city["sites"].query("use == 'office'").set_index("community")["area_m2"].to_dict()
    people = plan.city["communities"].set_index("community")["population"].to_dict()
    needs = plan.city["needs"].set_index(["community", "need"])
    weights = {("residential", "clinic"): 2.0}
    types = plan.city["communities"].set_index("community")["type"].to_dict()
    rooms = plan.tables["space"].query("use != 'station'").groupby(["community", "year"])["area_m2"].sum()
    grants = plan.tables["grants"].set_index(["community", "year"])["grant_yuan"]
    served = plan.tables["assignments"].groupby(["community", "service", "year"])["amount"].sum()
    rows = []
    for i in people:
        for t, year in enumerate(YEARS):
            area = office.get(i, 0) + rooms.get((i, year), 0.0)
            for need, unit in (("work_funds", "yuan"), ("space", "m2"), ("clinic", "visits"), ("desk", "cases")):
                if need == "work_funds":
                    amount, had, persons = round(entitled.get(i, 0) * 1.1**t), grants[i, year], people[i]
                elif need == "space":
                    amount, had, persons = 0 if i in rich else 300, area, people[i]
                else:
                    first = needs["amount"].get((i, need), 0)
                    amount = first * 1.1**t if need == "desk" else first
                    amount = 0 if need == "desk" and i in rich else amount
                    persons = needs["persons"].get((i, need), 0)
                    persons = first if pd.isna(persons) else persons
                    had = served.get((i, need, year), 0.0)
                given = min(had, amount)
                rows.append(
                    (
                        i,
                        need,
                        year,
                        amount,
                        given,
                        given / amount if amount else 1,
                        unit,
                        persons,
                        weights.get((types[i], need), 1.0),
                    )
                )
    columns = ["community", "need", "year", "need_amount", "met_amount", "met_share", "unit", "persons", "weight"]
    return pd.DataFrame(rows, columns=columns)


def _scores(met: pd.DataFrame) -> tuple[pd.DataFrame, float, list[str]]:
    """Scores by year and of both years, the worst of them, and d, which is set aside."""
    rows, worst = [], 1.0
    for i, mine in met[met["need_amount"] > 0].groupby("community"):
        whole = 0.0
        for year, some in mine.groupby("year"):
            score = (some["weight"] * some["met_amount"] / some["need_amount"]).sum() / some["weight"].sum()
            rows.append((i, str(year), score, int(i == "d")))
            whole += BETA[int(str(year))] * score
        rows.append((i, "", whole, int(i == "d")))
        worst = worst if i == "d" else min(worst, whole)
    return pd.DataFrame(rows, columns=["community", "year", "score", "set_aside"]), worst, ["d"]


def _sources(plan: Plan) -> pd.DataFrame:
    """New money, what is spent of it, and what is carried over (city only, at most a fifth) or lapses."""
    rows = []
    for name, rule in plan.scenario["sources"].items():
        carried = 0
        for t, year in enumerate(YEARS):
            amount = rule["amount_yuan"][t] if isinstance(rule["amount_yuan"], list) else rule["amount_yuan"]
            amount -= rule.get("committed_yuan", [0, 0])[t]
            spent = int(plan.tables["ledger"].query("source == @name and year == @year")["yuan"].sum())
            left = amount + carried - spent
            out = min(left, int(amount * rule.get("carry_limit_share", 0))) if year == YEARS[0] else 0
            rows.append((name, year, amount, carried, spent, out, left - out))
            carried = out
    columns = ["source", "year", "amount_yuan", "carried_in_yuan", "spent_yuan", "carried_out_yuan", "lapsed_yuan"]
    return pd.DataFrame(rows, columns=columns)


def write_city(plan: Plan, path: Path) -> None:
    """Write the city as one GeoPackage."""
    crs = "EPSG:32648"
    order = plan.city["communities"]
    squares = [box(X + 1000 * n, Y, X + 1000 * (n + 1), Y + 1000) for n in range(len(order))]
    layers = {"communities": gpd.GeoDataFrame(order, geometry=squares, crs=crs)}
    for name in ("sites", "facilities"):
        table = plan.city[name]
        points = [Point(X + x, Y + y) for x, y in zip(table["x"], table["y"], strict=True)]
        layers[name] = gpd.GeoDataFrame(table.drop(columns=["x", "y"]), geometry=points, crs=crs)
    streets = plan.city["streets"]
    lines = [
        LineString([(X + a, Y + 600), (X + b, Y + 600)]) for a, b in zip(streets["from"], streets["to"], strict=True)
    ]
    layers["streets"] = gpd.GeoDataFrame(streets[["street", "length_m"]], geometry=lines, crs=crs)
    for name, layer in layers.items():
        layer.to_file(path, layer=name, driver="GPKG")
    import pyogrio

    pyogrio.write_dataframe(plan.city["needs"], path, layer="needs", driver="GPKG")


def write_run(plan: Plan, folder: Path, city: Path) -> None:
    """Write the run folder of a plan for the city at `city`."""
    (folder / "tables").mkdir(parents=True)
    for name, table in plan.tables.items():
        text = table.copy()
        for column in text.columns:
            if pd.api.types.is_float_dtype(text[column]):
                text[column] = [f"{value:.6f}".rstrip("0").rstrip(".") for value in text[column]]
        text.to_csv(folder / "tables" / f"{name}.csv", index=False, lineterminator="\n")
    filled = Scenario(**{**plan.scenario, "data": {"path": str(city), "metric_crs": "EPSG:32648"}})
    (folder / "scenario.resolved.yaml").write_text(resolved_yaml(filled), encoding="utf-8")
    inputs = {str(city): hashlib.sha256(city.read_bytes()).hexdigest()}
    record = {"inputs": inputs, **plan.record}
    (folder / "run.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    signed(folder)
    for name in ("report.html", "plan.gpkg", "plan.xlsx"):
        (folder / name).touch()


def signed(folder: Path) -> Path:
    """Write into the record what its tables hash to now, and return the folder: then only what they say is judged."""
    path = folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["tables"] = {
        table.name: hashlib.sha256(table.read_bytes()).hexdigest() for table in sorted((folder / "tables").iterdir())
    }
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return folder


Change = Callable[[Plan], None]
