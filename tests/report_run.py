"""Makes a small finished run by hand: a grid city and tables of a plan that agree with each other.

The plan is not optimised, only consistent: money is paid in full, sources foot, and every amount that is
met stands in the tables. `cut` lowers the work funds, so that two runs differ.
"""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import geopandas as gpd
import pandas as pd
import pyproj
from shapely.geometry import LineString, Point, box

from geodata.city import City
from geodata.finish import empty
from geodata.schema import TABLES
from optimizer.scenario import Scenario
from optimizer.source_ledger import source_ledger

CRS = "EPSG:32648"
HOSTILE = '=HYPERLINK("http://x") <script>alert(1)</script>'
SIDE = 1_000.0


def scenario(name: str = "base", first_year: int = 2007, years: int = 2, path: str = "") -> Scenario:
    """Return the scenario of the small run; `path` is where its city lies."""
    return Scenario.model_validate(
        {
            "name": name,
            "title": f"Small city, {name}",
            "data": {"path": path or "small.gpkg", "metric_crs": CRS},
            "horizon": {"first_year": first_year, "years": years, "price_growth": 0.0, "discount": 0.05},
            "types": {
                "core": {"title": "Old core", "weights": {"library": 2.0}},
                "fringe": {"title": "Urban–rural fringe", "care": 0.2},
            },
            "guidance": {
                "policy_only": {
                    "title": "Policy, no money",
                    "when": {"own_income_yuan": {"at_least": 1e6}},
                    "purposes": ["services"],
                    "reason": "It earns enough of its own.",
                },
                "material_support": {
                    "title": "Material support",
                    "purposes": ["work_funds", "space", "services"],
                    "reason": "It has too little of its own.",
                },
            },
            "programmes": {
                "work_funds": {"floor_yuan": 50_000},
                "services": {
                    "affairs": {"title": "One-stop affairs", "siting": "own", "unit": "visits a year",
                                "capital_yuan_per_unit": 10, "running_yuan_per_unit": 2},
                    "library": {"title": "Library & culture", "siting": "network", "limit_m": 1_500,
                                "unit": "seats", "fixed_yuan": 20_000, "running_yuan": 5_000},
                },
            },
            "sources": {
                "city_finance": {"title": "City finance", "role": "city", "amount_yuan": 2_000_000},
                "district_finance": {"title": "District finance", "role": "district", "amount_yuan": 1_000_000},
                "lottery": {"title": "Lottery fund", "role": "lottery", "amount_yuan": 300_000,
                            "purposes": ["service_capital", "service_running"], "services": ["library"]},
            },
            "co_funding": [{"of": "city_finance", "ratio": 0.5}],
        }
    )  # fmt: skip


def city(columns: int = 3, rows: int = 2) -> City:
    """Return a city of `columns` x `rows` square communities in two districts, the last one rich."""
    records, offices, facilities, needs = [], [], [], []
    n = columns * rows
    for i in range(n):
        x, y = i % columns, i // columns
        key = f"c{i:03d}"
        records.append(
            {
                "community": key,
                "name": HOSTILE if i == 1 else f"Community {i}",
                "name_zh": "板桥社区" if i == 0 else "",
                "district": "east" if x >= columns / 2 else "west",
                "sub_district": f"street {y}",
                "type": "fringe" if y == 0 else "core",
                "main_city": y > 0,
                "population": 2_000.0 + 250.0 * (i % 7),
                "households": round((2_000.0 + 250.0 * (i % 7)) / 2.6),
                "elderly": 200.0, "children": 300.0, "migrants": 100.0, "laid_off": 80.0,
                "min_income_households": 40.0,
                "own_income_yuan": 2e6 if i == n - 1 else 10_000.0,
                "debt_yuan": 600_000.0 if i == 0 else 0.0,
                "hardship": 1.0 if i == 0 else 0.0,
                "note": "",
                "geometry": box(x * SIDE, y * SIDE, (x + 1) * SIDE, (y + 1) * SIDE),
            }
        )  # fmt: skip
        offices.append(_site(f"office{i:03d}", key, "office", "existing", 60.0 + 20 * (i % 5), x, y, 0.5, 0.5))
        offices.append(_site(f"room{i:03d}", key, "extension", "rent", 200.0, x, y, 0.55, 0.5))
        if i % 3 == 0:
            offices.append(_site(f"house{i:03d}", key, "station", "build", 400.0, x, y, 0.25, 0.75))
        facilities.append(
            {
                "facility": f"desk{i:03d}", "name": "", "kind": "", "community": key, "site": "", "service": "affairs",
                "level": "station", "capacity": 500.0, "area_m2": 20.0, "running_yuan": 1_000.0,
                "spare_m2": 0.0, "lease_until": 0, "must": "", "hangs_on": "",
                "geometry": Point((x + 0.5) * SIDE, (y + 0.5) * SIDE),
            }
        )  # fmt: skip
        for need, amount in (("affairs", 1_000.0), ("library", 40.0)):
            needs.append({"community": key, "need": need, "amount": amount, "persons": 1_500.0})
    streets = [
        {"street": "s1", "name": "", "length_m": columns * SIDE,
         "geometry": LineString([(0, SIDE), (columns * SIDE, SIDE)])}
    ]  # fmt: skip
    half = columns * SIDE / 2
    districts = [
        {"district": "west", "name": "West", "name_zh": "西区", "geometry": box(0, 0, half, rows * SIDE)},
        {"district": "east", "name": "East", "name_zh": "", "geometry": box(half, 0, columns * SIDE, rows * SIDE)},
    ]
    return City(
        *(gpd.GeoDataFrame(table, crs=CRS) for table in (records, offices, facilities, streets)),
        *(empty(TABLES[name], pyproj.CRS.from_user_input(CRS)) for name in ("people", "barriers")),
        pd.DataFrame(needs),
        gpd.GeoDataFrame(districts, crs=CRS),
        CRS,
        name="Small city",
    )


def _site(
    key: str, community: str, use: str, instrument: str, area: float, x: int, y: int, dx: float, dy: float
) -> dict[str, object]:
    return {
        "site": key, "name": "", "community": community, "use": use, "instrument": instrument, "area_m2": area,
        "min_area_m2": 0.0, "fixed_yuan": 0.0, "capital_yuan_per_m2": 100.0, "yearly_yuan_per_m2": 20.0,
        "first_year": 0, "lead_years": 0, "hours_per_week": 40.0, "services": "", "gives_m2": 0.0, "plot_m2": 0.0,
        "land_yuan_per_m2": 0.0, "must": "",
        "geometry": Point((x + dx) * SIDE, (y + dy) * SIDE),
    }  # fmt: skip


def write_city(small: City, path: Path) -> Path:
    """Write the city to a GeoPackage."""
    for name in ("communities", "sites", "facilities", "streets", "districts"):
        small.table(name).to_file(path, layer=name, driver="GPKG")
    import pyogrio

    pyogrio.write_dataframe(small.needs, path, layer="needs", driver="GPKG")
    provenance = pd.DataFrame(
        {
            "table": ["communities", "communities"],
            "column": ["population", "geometry"],
            "status": ["derived", "synthetic"],
            "source": ["a <b>yearbook</b>", "drawn"],
        }
    )
    pyogrio.write_dataframe(provenance, path, layer="provenance", driver="GPKG")
    return path


class _Book:
    """Rows of the tables while the plan is made."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, object]]] = {
            name: [] for name in ("grants", "space", "stations", "assignments", "met", "ledger", "sources", "scores")
        }

    def pay(
        self, purpose: str, district: str, community: str, year: int, yuan: int, service: str = "", site: str = ""
    ) -> None:
        """Split a cost: the lottery pays for libraries, else the city two thirds and the district the rest."""
        parts = {"lottery": yuan} if service == "library" else {"city_finance": yuan * 2 // 3}
        if service != "library":
            parts["district_finance"] = yuan - parts["city_finance"]
        for source, part in parts.items():
            self.rows["ledger"].append(
                {"source": source, "purpose": purpose, "district": district, "community": community, "year": year,
                 "yuan": part, "service": service, "site": site}
            )  # fmt: skip


def make_run(
    folder: Path, name: str = "base", *, columns: int = 3, rows: int = 2, cut: float = 0.0, years: int = 2,
    library: bool = True, gap: float = 0.004,
) -> Path:  # fmt: skip
    """Write a finished run folder (without its report) for a city of `columns` x `rows` communities; return it.

    `cut` is the part of every grant that is not paid; without `library` no library opens.
    """
    folder.mkdir(parents=True)
    (folder / "tables").mkdir()
    small = city(columns, rows)
    path = write_city(small, folder / "small.gpkg")
    plan = scenario(name, years=years, path=str(path.resolve()))
    book = _Book()
    _fill(book, small, plan, cut, library)
    tables = {key: pd.DataFrame(value) for key, value in book.rows.items()}
    tables["sources"] = _sources(plan, tables["ledger"])
    tables["source_ledger"] = source_ledger(plan, tables["ledger"], tables["sources"])
    tables["scores"], unmet = _scores(plan, tables["met"])
    for key, table in tables.items():
        table.round(6).to_csv(folder / "tables" / f"{key}.csv", index=False, encoding="utf-8", lineterminator="\n")
    worst = float(tables["scores"].query("year == ''")["score"].min())
    (folder / "run.json").write_text(json.dumps(_record(plan, small, unmet, worst, gap)), encoding="utf-8")
    from ruamel.yaml import YAML

    with (folder / "scenario.resolved.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(plan.model_dump(mode="json"), file)
    return folder


def _fill(book: _Book, small: City, plan: Scenario, cut: float, library: bool) -> None:
    frame = small.communities
    office = small.sites[small.sites["use"] == "office"].set_index("community")["area_m2"]
    district = dict(zip(frame["community"], frame["district"], strict=True))
    houses = small.sites[small.sites["use"] == "station"]
    for t, year in enumerate(plan.years):
        last = t == len(plan.years) - 1
        for i, row in enumerate(frame.itertuples(index=False)):
            key, rich = str(row.community), row.own_income_yuan >= 1e6
            entitled = 0 if rich else 60_000 if row.type == "fringe" else 50_000
            grant = int(entitled * (1 - cut) * (0.8 if t == 0 and i % 2 else 1.0))
            book.rows["grants"].append(
                {"community": key, "year": year, "entitled_yuan": entitled, "grant_yuan": grant,
                 "class": "policy_only" if rich else "material_support"}
            )  # fmt: skip
            if grant:
                book.pay("work_funds", district[key], key, year, grant)
            extra = 0.0 if rich or i % 2 == 0 else 150.0
            if extra:
                cost = int((15_000 if t == 0 else 0) + 20 * extra)
                book.rows["space"].append(
                    {"community": key, "year": year, "instrument": "rent", "area_m2": extra, "cost_yuan": cost,
                     "site": f"room{i:03d}", "use": "extension"}
                )  # fmt: skip
                book.pay("space", district[key], key, year, cost, site=f"room{i:03d}")
            grown = last and i % 2 == 0
            book.rows["stations"].append(
                {"site": f"office{i:03d}", "service": "affairs", "level": "station", "year": year,
                 "status": "upgraded" if grown else "existing", "capacity": 900.0 if grown else 500.0,
                 "area_m2": 36.0 if grown else 20.0, "capital_yuan": 4_000 if grown else 0,
                 "running_yuan": 1_800 if grown else 1_000, "community": key, "district": district[key]}
            )  # fmt: skip
            if grown:
                book.pay("service_capital", district[key], key, year, 4_000, "affairs", f"office{i:03d}")
            book.pay(
                "service_running", district[key], key, year, 1_800 if grown else 1_000, "affairs", f"office{i:03d}"
            )
            served = 900.0 if grown else 500.0
            book.rows["assignments"].append(
                {"community": key, "site": f"office{i:03d}", "service": "affairs", "year": year, "amount": served,
                 "travel_m": 0}
            )  # fmt: skip
            seats = _library(book, small, i, year) if library and last and len(houses) else 0.0
            weight = 2.0 if row.type == "core" else 1.0
            target = 0.0 if rich else 300.0
            _met(book, key, "work_funds", year, float(entitled), float(grant), "yuan", row.population, 1.0)
            _met(book, key, "space", year, target, min(target, office[key] + extra), "m2", row.population, 1.0)
            _met(book, key, "affairs", year, 1_000.0, served, "visits a year", 1_500.0, 1.0)
            _met(book, key, "library", year, 40.0, seats, "seats", 1_500.0, weight)
        if library and last:
            for house in houses.itertuples(index=False):
                where = district[str(house.community)]
                book.rows["stations"].append(
                    {"site": house.site, "service": "library", "level": "station", "year": year, "status": "opened",
                     "capacity": 200.0, "area_m2": 100.0, "capital_yuan": 20_000, "running_yuan": 5_000,
                     "community": house.community, "district": where}
                )  # fmt: skip
                book.pay("service_capital", where, "", year, 20_000, "library", str(house.site))
                book.pay("service_running", where, "", year, 5_000, "library", str(house.site))


def _library(book: _Book, small: City, i: int, year: int) -> float:
    """Seat the community in the station building of its own or a neighbouring square, if there is one."""
    houses = small.sites[small.sites["use"] == "station"].reset_index(drop=True)
    away = houses.distance(small.communities.geometry.iloc[i].centroid)
    if away.min() > 1_500:
        return 0.0
    site = str(houses["site"].iloc[int(away.argmin())])
    book.rows["assignments"].append(
        {"community": f"c{i:03d}", "site": site, "service": "library", "year": year, "amount": 40.0,
         "travel_m": round(float(away.min()))}
    )  # fmt: skip
    return 40.0


def _met(
    book: _Book, community: str, need: str, year: int, amount: float, met: float, unit: str, persons: float,
    weight: float,
) -> None:  # fmt: skip
    book.rows["met"].append(
        {"community": community, "need": need, "year": year, "need_amount": amount, "met_amount": met,
         "met_share": met / amount if amount else 1.0, "unit": unit, "persons": persons, "weight": weight}
    )  # fmt: skip


def _sources(plan: Scenario, ledger: pd.DataFrame) -> pd.DataFrame:
    spent = ledger.groupby(["source", "year"])["yuan"].sum()
    rows = []
    for source in sorted(plan.sources):
        for year, planned in zip(plan.years, plan.amounts_yuan(source), strict=True):
            paid = int(spent.get((source, year), 0))
            amount = max(planned, paid)
            rows.append(
                {"source": source, "year": year, "amount_yuan": amount, "carried_in_yuan": 0, "spent_yuan": paid,
                 "carried_out_yuan": 0, "lapsed_yuan": amount - paid}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _scores(plan: Scenario, met: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    met = met[met["need_amount"] > 0].assign(value=lambda f: f["weight"] * f["met_share"])
    beta = dict(zip(plan.years, plan.year_weights(), strict=True))
    sums = met.groupby(["community", "year"])[["value", "weight"]].sum()
    yearly = (sums["value"] / sums["weight"]).reset_index(name="score")
    rows = [{"community": r.community, "year": str(r.year), "score": r.score, "set_aside": 0} for r in
            yearly.itertuples(index=False)]  # fmt: skip
    for community, part in yearly.groupby("community"):
        whole = sum(beta[int(r.year)] * float(r.score) for r in part.itertuples(index=False))
        rows.append({"community": community, "year": "", "score": whole, "set_aside": 0})
    unmet = (met["year"].map(beta) * met["persons"] * met["weight"] * (1 - met["met_share"])).sum()
    return pd.DataFrame(rows).sort_values(["community", "year"]), float(unmet)


def _record(plan: Scenario, small: City, unmet: float, worst: float, gap: float) -> dict[str, object]:
    def stage(goal: str, value: float, sign: int, unit: str) -> dict[str, object]:
        return {"goal": goal, "value": value, "bound": value * (1 + sign * gap), "gap": gap, "seconds": 0.1,
                "tolerance": 0.001, "status": "proven", "scope": "all plans", "unit": unit}  # fmt: skip

    rich = small.communities["own_income_yuan"] >= 1e6
    classes = {c: "policy_only" if r else "material_support"
               for c, r in zip(small.communities["community"], rich, strict=True)}  # fmt: skip
    return {
        "scenario": plan.name, "title": plan.title, "status": "proven", "gap": gap,
        "stages": [stage("worst_off", worst, 1, "share"), stage("unmet_need", unmet, -1, "person-needs"),
                   stage("travel", 1000.0, -1, "person-metres"), stage("spending", 1_000_000.0, -1, "yuan")],
        "seconds": {"reading": 0.1, "solving": 0.4}, "peak_memory_mb": 100,
        "audit": {"passed": True, "checks": [{"name": "money foots", "equation": "20", "figures_recomputed": 12}],
                  "findings": []},
        "inputs": {"small.gpkg": "00" * 32}, "versions": {"allot": "0.1.0"}, "seed": 0, "method": "whole",
        "set_aside": [], "classes": classes, "years": plan.years, "currency": {"code": "CNY", "name": "yuan"},
        "closest_to": "",
    }  # fmt: skip


class Page(HTMLParser):
    """Collects what a test asks of a page: elements, text, addresses, unbalanced tags."""

    VOID: ClassVar[set[str]] = {"meta", "input", "br", "hr", "col", "img", "link"}

    def __init__(self, content: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.wrong: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value or "" for key, value in attrs if key == "id"]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] not in {"script", "style"}:
            self.text.append(data)
