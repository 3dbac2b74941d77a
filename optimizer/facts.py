"""Facts of a plan: figures that the report, the summary and the workbook share, from the tables alone."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from optimizer.run_folder import Run
from optimizer.words import printable

if TYPE_CHECKING:
    from geodata.city import City
    from optimizer.problem import Problem

EPS = 1e-9
FULL = 0.9995  # a met share from here on is shown as met
BEFORE = "before"
"""Column of scores, and year of met shares, of what holds before the plan."""


@dataclass(frozen=True)
class Facts:
    """Figures of one plan. Shares are between 0 and 1, money in whole units of the currency."""

    run: Run
    city: "City"

    @property
    def first(self) -> int:
        """First year of the plan."""
        return self.run.years[0]

    @property
    def last(self) -> int:
        """Last year of the plan."""
        return self.run.years[-1]

    @cached_property
    def communities(self) -> pd.DataFrame:
        """Communities of the inputs, by identifier, with `label` (name, or identifier) and no geometry."""
        frame = pd.DataFrame(self.city.communities.drop(columns="geometry")).set_index("community", drop=False)
        frame.index.name = None
        names = zip(frame["name"].fillna("").astype(str), frame["community"].astype(str), strict=True)
        frame["label"] = [printable(name).strip() or printable(key) for name, key in names]
        return frame

    @cached_property
    def rows(self) -> dict[str, dict[Hashable, Any]]:
        """Community -> its row of `communities`."""
        return {str(key): row for key, row in self.communities.to_dict("index").items()}

    def label(self, community: str) -> str:
        """Return the name of a community, its identifier where it has none or is not in the inputs."""
        return str(self.communities["label"].get(community, community))

    @cached_property
    def district_names(self) -> dict[str, str]:
        """District -> its name, where it has one."""
        frame = self.city.districts
        names = ((str(r.district), printable(str(r.name or "")).strip()) for r in frame.itertuples(index=False))
        return {district: name for district, name in names if name}

    def district_label(self, district: str) -> str:
        """Return the name of a district, its identifier where it has none."""
        return self.district_names.get(district) or printable(district)

    @cached_property
    def site_labels(self) -> dict[str, str]:
        """Name of every site; office of a community where it has no name."""
        labels = {}
        for row in self.city.sites.itertuples(index=False):
            name = printable(str(row.name or "")).strip()
            if not name:
                where = self.label(str(row.community))
                name = f"office of {where}" if row.use == "office" else f"{row.site} ({where})"
            labels[str(row.site)] = name
        for row in self.city.facilities.itertuples(index=False):
            labels.setdefault(str(row.facility), str(row.name or "").strip() or str(row.facility))
        return labels

    def site_label(self, site: str) -> str:
        """Return the name of a site, its identifier where it has none."""
        return self.site_labels.get(site, site)

    @cached_property
    def set_aside(self) -> set[str]:
        """Communities set aside from the goal of the worst-off."""
        marked = self.run.scores.loc[self.run.scores["set_aside"] == 1, "community"]
        return {str(c) for c in marked} | {str(c) for c in self.run.record.get("set_aside", [])}

    @cached_property
    def met(self) -> pd.DataFrame:
        """Rows of `met` with a need, with `heft` = persons x weight, and `unmet` and `done` in person-needs."""
        frame = self.run.met[self.run.met["need_amount"] > 0].copy()
        frame["heft"] = frame["persons"] * frame["weight"]
        frame["done"] = frame["heft"] * frame["met_share"]
        frame["unmet"] = frame["heft"] - frame["done"]
        places = self.communities.reindex(frame["community"])
        for column in ("district", "type"):
            frame[column] = places[column].to_numpy()
        return frame

    @cached_property
    def met_before(self) -> pd.DataFrame:
        """Rows of `met` of the first year with the shares of what stands before the plan.

        That is rooms, and stations for those sent there in the first year, in proportion, as far as their capacity
        goes; no grant has been paid, no debt paid off.
        """
        rows = self.met[self.met["year"] == self.first]
        key = pd.MultiIndex.from_frame(rows[["community", "need"]])
        had = self._served_before.reindex(key).fillna(0.0).to_numpy(dtype=float)
        rooms = rows["community"].map(self._office_m2).to_numpy(dtype=float)
        had = np.where(rows["need"] == "space", rooms, had)
        share = np.minimum(1.0, had / rows["need_amount"].to_numpy(dtype=float))
        done = rows["heft"] * share
        return rows.assign(year=BEFORE, met_share=share, done=done, unmet=rows["heft"] - done)

    @cached_property
    def _served_before(self) -> "pd.Series[float]":
        """(community, service) -> amount that existing stations serve of what the first year sends there."""
        first = self.run.assignments
        first = first[(first["year"] == self.first) & (first["amount"] > 0)]
        pair = ["site", "service"]
        has = self.capacity_before.reindex(pd.MultiIndex.from_frame(first[pair])).fillna(0.0).to_numpy(dtype=float)
        asked = first.groupby(pair)["amount"].transform("sum").to_numpy(dtype=float)
        amount = first["amount"].to_numpy(dtype=float) * np.minimum(1.0, has / asked)
        return first.assign(amount=amount).groupby(["community", "service"])["amount"].sum()

    @cached_property
    def capacity_before(self) -> "pd.Series[float]":
        """(site, service) -> capacity of what stands there before the plan."""
        there = self.city.facilities
        office = there["community"].map(self._offices_of["site"])
        site = there["site"].where(there["site"] != "", office.fillna(there["facility"])).astype(str)
        sums: pd.Series[float] = there["capacity"].astype(float).groupby([site, there["service"].astype(str)]).sum()
        return sums

    @cached_property
    def _offices_of(self) -> pd.DataFrame:
        """Site and area of the office by community."""
        sites = self.city.sites
        offices = sites[sites["use"] == "office"].drop_duplicates("community")
        return pd.DataFrame(offices[["community", "site", "area_m2"]]).set_index("community")

    @cached_property
    def _office_m2(self) -> "pd.Series[float]":
        """Community -> floor of its office that others do not use."""
        services, there = self.run.scenario.services, self.city.facilities
        own = {name for name, rule in services.items() if rule.siting == "own"}
        inside = there[~there["service"].isin(own) & (there["level"] != "outlet") & (there["site"] != "")]
        others = (inside["area_m2"] + inside["spare_m2"]).groupby(inside["site"]).sum()
        offices = self._offices_of
        free = offices["area_m2"].astype(float) - offices["site"].map(others).fillna(0.0).astype(float)
        return free.clip(lower=0.0).reindex(self.communities.index).fillna(0.0)

    def met_share(self, by: str | list[str]) -> pd.Series:
        """Return the person-weighted met share by `year`, where `before` is before the plan, and other columns."""
        sums = pd.concat([self.met_before.astype({"year": object}), self.met.astype({"year": object})])
        sums = sums.groupby(by)[["done", "heft"]].sum()
        return (sums["done"] / sums["heft"].where(sums["heft"] > 0)).fillna(1.0)

    @cached_property
    def met_by_year(self) -> pd.Series:
        """Met share of all needs of all people before the plan and by year."""
        return self.met_share("year").reindex([BEFORE, *self.run.years]).fillna(1.0)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Score by community (rows), before the plan, by year and for the `whole` horizon; missing without needs."""
        frame = self.run.scores.copy()
        frame["when"] = frame["year"].astype("object").where(frame["year"].notna(), "whole")
        wide = frame.pivot_table(index="community", columns="when", values="score", aggfunc="first")
        wide = wide.reindex(index=list(self.communities.index), columns=[BEFORE, *self.run.years, "whole"])
        sums = self.met_before.assign(part=lambda f: f["weight"] * f["met_share"])
        sums = sums.groupby("community")[["part", "weight"]].sum()
        wide[BEFORE] = (sums["part"] / sums["weight"].where(sums["weight"] > 0)).reindex(wide.index)
        return wide

    @cached_property
    def score_of(self) -> dict[tuple[str, int | str], float]:
        """(community, year, `before` or `whole`) -> score; NaN without needs."""
        return {
            (str(key), when): float(value)
            for when in self.scores.columns
            for key, value in zip(self.scores.index, self.scores[when].to_numpy(dtype=float), strict=True)
        }

    @cached_property
    def gains(self) -> pd.Series:
        """Score of the last year less that before the plan, largest first; communities without needs left out."""
        gain = (self.scores[self.last] - self.scores[BEFORE]).dropna()
        return gain.sort_values(ascending=False, kind="stable")

    def worst(self, year: int | str) -> tuple[str, float]:
        """Return the worst-off community, and its score, in a year or over the `whole` horizon, none set aside."""
        column = self.scores[year].drop(labels=[c for c in self.set_aside if c in self.scores.index]).dropna()
        if column.empty:
            return "", 1.0
        where = str(column.idxmin())
        return where, float(column[where])

    @cached_property
    def aside_scores(self) -> "pd.Series[float]":
        """Scores of the last year of communities set aside, the lowest first."""
        column = self.scores[self.last]
        return column[column.index.isin(self.set_aside)].dropna().sort_values(kind="stable")

    @cached_property
    def spent(self) -> int:
        """Money paid over the horizon."""
        return int(self.run.ledger["yuan"].sum())

    @cached_property
    def available(self) -> int:
        """New money of all sources over the horizon."""
        return int(self.run.sources["amount_yuan"].sum())

    @cached_property
    def lapsed(self) -> pd.Series:
        """Money not used over the horizon by source, only where there is some."""
        sums = self.run.sources.groupby("source")["lapsed_yuan"].sum()
        return sums[sums > 0].sort_values(ascending=False, kind="stable")

    @cached_property
    def binding(self) -> dict[str, list[int]]:
        """Source -> years in which its money is used up (less than half a per cent is left or carried over)."""
        frame = self.run.sources
        has = frame["amount_yuan"] + frame["carried_in_yuan"]
        left = frame["carried_out_yuan"] + frame["lapsed_yuan"]
        tight = frame[(has > 0) & (left <= 0.005 * has)]
        return {str(s): [int(y) for y in part["year"]] for s, part in tight.groupby("source")}

    @cached_property
    def stations(self) -> pd.DataFrame:
        """One row per station (site, service) as it is in the last year, with `change` and the year of it.

        `change` is opened, upgraded, closed or existing, closed where nothing is left at the end, whatever was before;
        money is summed over the years.
        """
        frame = self.run.stations.sort_values(["site", "service", "level", "year"], kind="stable")
        if frame.empty:
            return frame.assign(change="", change_year=0)
        key = ["site", "service"]
        end = frame.groupby([*key, "year"], as_index=False)[["capacity", "area_m2"]].sum()
        end = end.groupby(key, as_index=False).last()
        left = end.set_index(key)["capacity"].reindex(pd.MultiIndex.from_frame(frame[key])).to_numpy(dtype=float)
        closed = frame["status"] == "closed"
        # The last closing where nothing is left, else what opened or grew first, else a level that closed.
        rank = np.select([closed & (left == 0), ~closed], [-frame["year"], frame["year"]], frame["year"] + 10_000)
        changes = frame.assign(rank=rank)[frame["status"].isin(["opened", "upgraded", "closed"])]
        first = changes.sort_values([*key, "rank"], kind="stable").groupby(key, as_index=False).first()
        first = first[[*key, "status", "year"]]
        result = end.merge(first.rename(columns={"status": "change", "year": "change_year"}), how="left", on=key)
        result["change"] = result["change"].fillna("existing")
        result["change_year"] = result["change_year"].fillna(0).astype("int64")
        sums = frame.groupby(key, as_index=False)[["capital_yuan", "running_yuan"]].sum()
        place = frame.groupby(key, as_index=False).last()[[*key, "level", "community", "district"]]
        return result.drop(columns="year").merge(sums, on=key).merge(place, on=key)

    def open_stations(self, year: int) -> pd.DataFrame:
        """Return the rows of stations open in a year with any capacity."""
        frame = self.run.stations
        return frame[(frame["year"] == year) & (frame["status"] != "closed") & (frame["capacity"] > 0)]

    def at_full(self, need: str, year: int | str) -> tuple[int, int]:
        """Return how many communities have a need met in full in a year or `before`, and how many have the need."""
        frame = self.met_before if year == BEFORE else self.met
        rows = frame[(frame["need"] == need) & (frame["year"] == year)]
        return int((rows["met_share"] >= FULL).sum()), len(rows)

    def added_area(self, year: int) -> float:
        """Return the area in use by extensions and halls in a year, less what swaps give up (m2)."""
        return float(self.added_by_community(year).sum())

    def added_by_community(self, year: int) -> "pd.Series[float]":
        """Return the area that extensions and halls add to each community that has any in a year, net of swaps (m2)."""
        frame = self.run.space
        used = frame[(frame["year"] == year) & (frame["use"] != "station")]
        return (used["area_m2"] - used["given_m2"]).groupby(used["community"]).sum()

    @cached_property
    def needs(self) -> list[str]:
        """Needs of the plan: work funds, space, then services in the scenario's order."""
        there = set(self.run.met["need"])
        return [need for need in ("work_funds", "space", *self.run.scenario.services, "debt_relief") if need in there]

    @cached_property
    def class_of(self) -> dict[str, str]:
        """Community -> class of guidance."""
        frame = self.run.grants.drop_duplicates("community")
        return dict(zip(frame["community"].astype(str), frame["class"].astype(str), strict=True))

    @cached_property
    def grants(self) -> dict[tuple[str, int], tuple[int, int]]:
        """(community, year) -> entitlement and grant."""
        frame = self.run.grants
        columns = (frame[c].tolist() for c in ("community", "year", "entitled_yuan", "grant_yuan"))
        return {(str(c), int(y)): (int(e), int(g)) for c, y, e, g in zip(*columns, strict=True)}

    @cached_property
    def last_met(self) -> dict[tuple[str, str], "MetRow"]:
        """(community, need) -> the row of the last year."""
        frame = self.run.met[self.run.met["year"] == self.last]
        rows = frame[["community", "need", "need_amount", "met_amount", "met_share"]].itertuples(index=False)
        return {(str(r[0]), str(r[1])): MetRow(float(r[2]), float(r[3]), float(r[4])) for r in rows}

    @cached_property
    def problem(self) -> "Problem":
        """What could have been planned, by the rules of the scenario: rooms on offer, and who can reach what."""
        from optimizer.problem_data import build_problem

        return build_problem(self.city, self.run.scenario)

    @cached_property
    def rooms_offered(self) -> dict[str, float]:
        """Community -> area that a plan could add to its office, less what swaps give up for it (m2)."""
        rooms = self.problem.rooms
        area = np.where(rooms.is_station, 0.0, rooms.area_m2 - rooms.gives_m2)
        sums = np.bincount(rooms.community, weights=area, minlength=len(self.problem.communities))
        return dict(zip(self.problem.communities, sums.tolist(), strict=True))

    @cached_property
    def rooms_used(self) -> dict[str, float]:
        """Community -> area of extensions in use in the last year, less what swaps give up for it (m2)."""
        frame = self.run.space
        rooms = frame[(frame["year"] == self.last) & (frame["use"] == "extension")]
        sums = (rooms["area_m2"] - rooms["given_m2"]).groupby(rooms["community"]).sum()
        return {str(c): float(a) for c, a in sums.items()}

    def out_of_reach(self, service: str) -> set[str]:
        """Communities with a need that no station of a service, and no building that could hold one, may serve."""
        problem = self.problem
        need = problem.needs.index(service)
        k = need - 2  # work funds and space come before the services
        there = problem.existing_arcs.target
        there = (problem.existing.service[there] == k) & (problem.existing.capacity[there] > 0)
        could = problem.places.service[problem.arcs.target] == k
        near = {*problem.existing_arcs.community[there].tolist(), *problem.arcs.community[could].tolist()}
        needy = np.flatnonzero(problem.need[:, need, :].max(axis=1) > 0)
        return {problem.communities[i] for i in needy.tolist() if i not in near}

    @cached_property
    def entitled_by(self) -> "tuple[list[tuple[str, pd.Series[float]]], pd.Series[float]]":
        """What entitlements follow from, by community: shares of the floor by what they are for, and counted income."""
        from optimizer.entitlement import care_parts, communities_with_offices, counted_income

        frame = communities_with_offices(self.city)
        keys, scenario = list(frame["community"]), self.run.scenario
        parts = [(name, pd.Series(part, index=keys)) for name, part in care_parts(frame, scenario)]
        return parts, pd.Series(counted_income(frame, scenario), index=keys)


@dataclass(frozen=True)
class MetRow:
    """Need, met amount (in units of the need) and met share of one community in one year."""

    need_amount: float
    met_amount: float
    met_share: float
