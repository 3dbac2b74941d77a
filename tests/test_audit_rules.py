"""A plan solved by hand passes its audit; corrupted in any way, the audit names the rule that is broken, and no other.

A corruption of decisions changes a plan and everything that follows from it (ledger, met needs, scores, record), so
that only the rule is broken. A corruption of tables changes figures afterwards.
"""

import json
import random
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from geodata.read import City, read_city
from optimizer.audit import audit_run
from optimizer.audit.inputs import Case
from optimizer.audit.report import RULES, Recorder
from optimizer.audit.rules_money import check_expiry
from optimizer.scenario import Scenario
from tests.audit_city import BY_HAND, Change, Plan, correct_plan, derived, signed, write_city, write_run

DECISIONS: list[tuple[str, str, Change]] = []
TABLES: list[tuple[str, str, Change]] = []
BY_SPACE = {"deposit"}  # tests/test_audit_space.py corrupts it
BY_SWAPS = {"given_up"}  # tests/optimizer/test_swaps.py corrupts it
BY_PRICE = {"price_of_fairness"}  # tests/test_audit_price.py corrupts it
BY_SPLIT = {"split_money", "split_part"}  # tests/test_audit_split.py corrupts these
BY_CLOSING = {"closing", "moving", "continuity", "must_take"}  # tests/test_audit_closing.py corrupts these


def decision(rule: str) -> Callable[[Change], Change]:
    """Register a corruption of decisions that `rule` must name."""
    return lambda change: DECISIONS.append((rule, change.__name__, change)) or change


def table(rule: str) -> Callable[[Change], Change]:
    """Register a corruption of tables that `rule` must name."""
    return lambda change: TABLES.append((rule, change.__name__, change)) or change


def programme(plan: Plan, name: str) -> dict[str, Any]:
    return plan.scenario["programmes"][name]


def stage(plan: Plan, goal: str) -> dict[str, Any]:
    return next(stage for stage in plan.record["stages"] if stage["goal"] == goal)


# Classes and work funds


@decision("grant_limit")
def grant_above_the_ceiling(plan: Plan) -> None:
    plan.set("grants", {"community": "b", "year": 2007}, grant_yuan=14_000)
    plan.pay("city", "work_funds", 2007, 6000, community="b")


@decision("grant_limit")
def grant_above_the_entitlement(plan: Plan) -> None:
    plan.set("grants", {"community": "a", "year": 2008}, grant_yuan=11_001)
    plan.pay("city", "work_funds", 2008, 11_001, community="a")


@decision("grant_limit")
def grant_for_a_rich_community(plan: Plan) -> None:
    plan.set("grants", {"community": "d", "year": 2008}, grant_yuan=500)
    plan.add(
        "ledger",
        source="city",
        purpose="work_funds",
        district="east",
        community="d",
        year=2008,
        yuan=500,
        service="",
        site="",
    )


@decision("unit")
def a_grant_and_its_payment_in_no_whole_unit(plan: Plan) -> None:
    plan.scenario["currency"] = {"unit_yuan": 100}
    plan.set("grants", {"community": "a", "year": 2008}, grant_yuan=10_950)
    plan.pay("city", "work_funds", 2008, 10_950, community="a")


@decision("hard_floor")
def grants_below_a_hard_floor(plan: Plan) -> None:
    programme(plan, "work_funds")["hard_floor"] = True


@table("entitlement")
def entitlement_without_its_care(plan: Plan) -> None:
    plan.set("grants", {"community": "b", "year": 2007}, entitled_yuan=10_000)


@table("class_of_guidance")
def poor_community_called_general(plan: Plan) -> None:
    plan.set("grants", {"community": "c"}, **{"class": "general"})


@table("class_of_guidance")
def rich_community_called_poor_in_the_record(plan: Plan) -> None:
    plan.record["classes"]["d"] = "poor"


# Rooms


@decision("room_first_year")
def room_taken_before_it_can_be_had(plan: Plan) -> None:
    plan.set("space", {"site": "ec"}, cost_yuan=0)
    plan.add(
        "space", community="c", year=2007, instrument="build", area_m2=100, cost_yuan=5000, site="ec", use="extension"
    )
    plan.set("ledger", {"site": "ec"}, year=2007, yuan=5000)


@decision("room_in_use")
def room_in_use_while_it_is_built(plan: Plan) -> None:
    plan.set("space", {"site": "ea", "year": 2007}, area_m2=150, cost_yuan=16_750)
    plan.pay("city", "space", 2007, 16_750, site="ea")


@decision("room_in_use")
def room_given_up_again(plan: Plan) -> None:
    plan.drop("space", {"site": "ha", "year": 2008, "community": "b"})
    plan.drop("ledger", {"site": "ha", "year": 2008, "community": "b"})


@decision("room_in_use")
def hall_shared_less_later(plan: Plan) -> None:
    plan.set("space", {"site": "ha", "year": 2008, "community": "b"}, area_m2=20, cost_yuan=220)
    plan.pay("donor", "space", 2008, 220, site="ha", community="b")


@decision("room_in_use")
def room_with_a_smallest_size_grown_later(plan: Plan) -> None:
    plan.set("space", {"site": "sb", "year": 2008}, area_m2=90, cost_yuan=297)
    plan.pay("city", "space", 2008, 297, site="sb")


@decision("room_size")
def room_below_its_smallest_size(plan: Plan) -> None:
    plan.set("space", {"site": "ea", "year": 2007}, cost_yuan=5000)
    plan.set("space", {"site": "ea", "year": 2008}, area_m2=40, cost_yuan=220)
    plan.pay("city", "space", 2007, 5000, site="ea")
    plan.pay("city", "space", 2008, 220, site="ea")


@decision("room_size")
def room_above_its_size(plan: Plan) -> None:
    plan.set("space", {"site": "ec"}, area_m2=120, cost_yuan=6600)
    plan.drop("ledger", {"site": "ec"})
    for source, yuan in (("west", 5500), ("city", 1100)):
        plan.add(
            "ledger",
            source=source,
            purpose="space",
            district="west",
            community="c",
            year=2008,
            yuan=yuan,
            service="",
            site="ec",
        )


@decision("instrument")
def instrument_the_scenario_forbids(plan: Plan) -> None:
    programme(plan, "space")["instruments"] = ["build", "share"]


@decision("instrument")
def instrument_called_another(plan: Plan) -> None:
    plan.set("space", {"site": "ea"}, instrument="build")


@decision("room_class")
def room_for_a_rich_community(plan: Plan) -> None:
    plan.add(
        "space", community="d", year=2008, instrument="build", area_m2=10, cost_yuan=110, site="ed", use="extension"
    )
    plan.add(
        "ledger",
        source="city",
        purpose="space",
        district="east",
        community="d",
        year=2008,
        yuan=110,
        service="",
        site="ed",
    )


@decision("hall_hours")
def hall_shared_beyond_its_hours(plan: Plan) -> None:
    plan.set("space", {"site": "ha", "community": "b"}, area_m2=31)
    for year, yuan in ((2007, 310), (2008, 341)):
        plan.set("space", {"site": "ha", "community": "b", "year": year}, cost_yuan=yuan)
        plan.pay("donor", "space", year, yuan, site="ha", community="b")


@decision("hall_share")
def halls_instead_of_rooms_of_ones_own(plan: Plan) -> None:
    programme(plan, "space")["hall_share_of_target"] = 0.09


@decision("hall_reach")
def hall_one_metre_too_far(plan: Plan) -> None:
    programme(plan, "space")["hall_limit_m"] = 899


@decision("hall_reach")
def hall_of_another_sub_district(plan: Plan) -> None:
    plan.set("communities", {"community": "b"}, sub_district="s9")


@decision("room_cost")
def room_below_its_price(plan: Plan) -> None:
    plan.set("space", {"site": "ea", "year": 2007}, cost_yuan=15_998)
    plan.pay("city", "space", 2007, 15_998, site="ea")


@decision("room_cost")
def upkeep_forgotten(plan: Plan) -> None:
    plan.set("space", {"site": "sb", "year": 2008}, cost_yuan=0)
    plan.drop("ledger", {"site": "sb", "year": 2008, "purpose": "space"})


@decision("room_cost")
def price_growth_forgotten(plan: Plan) -> None:
    plan.set("space", {"site": "ha", "year": 2008, "community": "a"}, cost_yuan=200)
    plan.pay("city", "space", 2008, 200, site="ha")


# Who is served where


@decision("demand")
def more_served_than_needed(plan: Plan) -> None:
    size_desk_b(plan, 363, 18.15, 463, 232, 255)
    plan.set("assignments", {"site": "ob", "year": 2007}, amount=330)
    plan.set("assignments", {"site": "ob", "year": 2008}, amount=363)


def size_desk_b(plan: Plan, capacity: float, area: float, capital: int, running: int, later: int) -> None:
    """Build the desk of b to another size."""
    plan.set("stations", {"site": "ob"}, capacity=capacity, area_m2=area)
    plan.set("stations", {"site": "ob", "year": 2007}, capital_yuan=capital, running_yuan=running)
    plan.set("stations", {"site": "ob", "year": 2008}, running_yuan=later)
    plan.pay("donor", "service_capital", 2007, capital, site="ob")
    plan.pay("city", "service_running", 2007, running, site="ob")
    plan.pay("city", "service_running", 2008, later, site="ob")


@decision("reach")
def served_one_metre_too_far(plan: Plan) -> None:
    programme(plan, "services")["clinic"]["limit_m"] = 1199


@decision("reach")
def served_six_seconds_too_far(plan: Plan) -> None:
    programme(plan, "services")["clinic"]["limit_minutes"] = 14.9  # 1,200 m at 80 m a minute


@decision("area")
def served_across_the_district(plan: Plan) -> None:
    plan.set("assignments", {"site": "sb", "community": "b"}, amount=450)
    for year in (2007, 2008):
        plan.add("assignments", community="c", site="sb", service="clinic", year=year, amount=50, travel_m=1300)


@decision("own_office")
def served_at_the_office_of_another(plan: Plan) -> None:
    size_desk_b(plan, 341, 17.05, 441, 221, 243)
    for year, amount in ((2007, 10), (2008, 11)):
        plan.add("assignments", community="c", site="ob", service="desk", year=year, amount=amount, travel_m=0)


@decision("own_office")
def outlet_that_serves_another(plan: Plan) -> None:
    plan.set("assignments", {"site": "oa", "service": "clinic"}, amount=50)
    for year in (2007, 2008):
        plan.add("assignments", community="b", site="oa", service="clinic", year=year, amount=50, travel_m=1200)


@decision("steady_share")
def patients_moved_from_year_to_year(plan: Plan) -> None:
    plan.set("assignments", {"site": "sb", "community": "a", "year": 2008}, amount=360)
    plan.set("assignments", {"site": "sb", "community": "b", "year": 2008}, amount=440)


@table("travel")
def travel_cut_short(plan: Plan) -> None:
    plan.set("assignments", {"site": "sb", "community": "a", "year": 2008}, travel_m=1100)


# Stations


@decision("capacity")
def more_served_than_the_peak_allows(plan: Plan) -> None:
    plan.set("assignments", {"site": "oa", "service": "desk", "year": 2007}, amount=425)


@decision("capacity")
def served_where_no_station_is(plan: Plan) -> None:
    plan.drop("stations", {"site": "ob"})
    plan.drop("ledger", {"site": "ob"})


@decision("capacity_used")
def capacity_nobody_uses(plan: Plan) -> None:
    size_desk_b(plan, 400, 20, 500, 250, 275)


@decision("station_size")
def station_larger_than_allowed(plan: Plan) -> None:
    programme(plan, "services")["clinic"]["max_capacity"] = 799


@decision("station_size")
def station_smaller_than_allowed(plan: Plan) -> None:
    programme(plan, "services")["desk"]["min_capacity"] = 56


@table("stays_open")
def existing_station_left_out(plan: Plan) -> None:
    plan.drop("stations", {"site": "od", "year": 2008})


@table("stays_open")
def existing_station_shrunk(plan: Plan) -> None:
    plan.set("stations", {"site": "od", "year": 2008}, capacity=299)


@table("status")
def opened_station_called_kept(plan: Plan) -> None:
    plan.set("stations", {"site": "sb", "year": 2007}, status="kept")


@table("status")
def station_called_closed(plan: Plan) -> None:
    plan.set("stations", {"site": "od", "year": 2008}, status="closed")


@decision("building_taken")
def station_before_its_building(plan: Plan) -> None:
    plan.drop("space", {"site": "sb", "year": 2007})
    plan.drop("ledger", {"site": "sb", "year": 2007, "purpose": "space"})
    plan.set("space", {"site": "sb"}, cost_yuan=23_364)
    plan.pay("city", "space", 2008, 23_364, site="sb")


@decision("one_stop")
def too_few_services_in_a_building(plan: Plan) -> None:
    plan.scenario["programmes"]["one_stop"] = {"min_services": 2}


@decision("site_services")
def service_in_a_building_for_others(plan: Plan) -> None:
    plan.set("sites", {"site": "sb"}, services="desk")


@decision("floor")
def station_larger_than_its_building(plan: Plan) -> None:
    plan.set("space", {"site": "sb", "year": 2007}, area_m2=79, cost_yuan=21_037)
    plan.set("space", {"site": "sb", "year": 2008}, area_m2=79, cost_yuan=261)
    plan.pay("city", "space", 2007, 21_037, site="sb")
    plan.pay("city", "space", 2008, 261, site="sb")


@decision("floor")
def desk_larger_than_its_office(plan: Plan) -> None:
    plan.set("sites", {"site": "ob"}, area_m2=16)


@decision("station_area")
def floor_of_a_station_forgotten(plan: Plan) -> None:
    plan.set("stations", {"site": "ob", "year": 2008}, area_m2=0)


@decision("station_class")
def station_of_a_rich_community_paid_for(plan: Plan) -> None:
    for year, yuan in ((2007, 700), (2008, 770)):
        plan.set("stations", {"site": "od", "year": year}, running_yuan=yuan)
        plan.add(
            "ledger",
            source="city",
            purpose="service_running",
            district="east",
            community="d",
            year=year,
            yuan=yuan,
            service="desk",
            site="od",
        )


@decision("station_cost")
def station_below_its_price(plan: Plan) -> None:
    plan.set("stations", {"site": "sb", "year": 2007}, capital_yuan=9998)
    plan.pay("city", "service_capital", 2007, 9998, site="sb")


@decision("station_cost")
def existing_station_not_paid_for(plan: Plan) -> None:
    plan.set("stations", {"site": "fc", "year": 2007}, running_yuan=0)
    plan.drop("ledger", {"site": "fc", "year": 2007})


@table("names")
def station_said_to_lie_elsewhere(plan: Plan) -> None:
    plan.set("stations", {"site": "sb", "year": 2007}, community="a")


# Money


@decision("costs_paid")
def cost_nobody_pays(plan: Plan) -> None:
    plan.drop("ledger", {"source": "donor", "site": "ob"})


@decision("costs_paid")
def cost_paid_in_the_wrong_year(plan: Plan) -> None:
    plan.set("ledger", {"site": "oa", "service": "desk", "purpose": "service_capital"}, year=2007)


@decision("costs_paid")
def payment_without_a_cost(plan: Plan) -> None:
    plan.add(
        "ledger",
        source="city",
        purpose="space",
        district="east",
        community="a",
        year=2008,
        yuan=1,
        service="",
        site="ed",
    )


@table("source_amount")
def more_new_money_than_the_scenario_gives(plan: Plan) -> None:
    plan.set("sources", {"source": "east", "year": 2007}, amount_yuan=30_100, lapsed_yuan=22_100)


@table("footing")
def spending_that_is_not_in_the_ledger(plan: Plan) -> None:
    plan.set("sources", {"source": "east", "year": 2007}, spent_yuan=8001, lapsed_yuan=21_999)


@table("footing")
def money_that_vanishes(plan: Plan) -> None:
    plan.set("sources", {"source": "east", "year": 2007}, lapsed_yuan=21_999)


@table("footing")
def more_carried_in_than_out(plan: Plan) -> None:
    row = plan.tables["sources"].query("source == 'city' and year == 2008").iloc[0]
    where = {"source": "city", "year": 2008}
    plan.set("sources", where, carried_in_yuan=row["carried_in_yuan"] + 7, lapsed_yuan=row["lapsed_yuan"] + 7)


@table("carry")
def money_carried_beyond_the_last_year(plan: Plan) -> None:
    row = plan.tables["sources"].query("source == 'city' and year == 2008").iloc[0]
    plan.set("sources", {"source": "city", "year": 2008}, carried_out_yuan=row["lapsed_yuan"], lapsed_yuan=0)


@table("carry")
def more_carried_than_the_limit(plan: Plan) -> None:
    plan.scenario["sources"]["city"]["carry_limit_share"] = 0.05


@decision("eligibility")
def donor_pays_for_another_type(plan: Plan) -> None:
    plan.set("ledger", {"site": "ha", "community": "a", "year": 2007}, source="donor")


@decision("eligibility")
def lottery_pays_for_another_service(plan: Plan) -> None:
    plan.set("ledger", {"site": "ob", "purpose": "service_running", "year": 2008}, source="lottery")
    plan.scenario["sources"]["lottery"]["ceiling_share"] = {}


@decision("eligibility")
def district_pays_next_door(plan: Plan) -> None:
    plan.set("ledger", {"site": "fc", "year": 2008}, source="east")


@decision("eligibility")
def earmark_for_another_community(plan: Plan) -> None:
    plan.scenario["sources"]["donor"].update(types=[], communities=["a"])


@decision("co_funding")
def district_pays_less_than_its_part(plan: Plan) -> None:
    plan.pay("city", "work_funds", 2007, 5500, community="b")
    plan.pay("east", "work_funds", 2007, 7500, community="b")


@decision("ceiling_share")
def source_above_its_ceiling(plan: Plan) -> None:
    plan.pay("lottery", "service_running", 2007, 2001, site="sb")
    plan.pay("city", "service_running", 2007, 599, site="sb")


# Rules of money that a plan keeps: each is asked for as the plan just keeps it, then the plan or the rule changes


def strict(plan: Plan) -> None:
    """Ask for every rule of money, as the correct plan keeps it."""
    sources = plan.scenario["sources"]
    # Of the city's money, a gets 27,200 in 2007 and 13,492 in 2008; rooms in the east cost it 37,440 and 1,309.
    sources["city"]["limits"] = [
        {"communities": ["a"], "at_least_yuan": 13_492, "at_most_yuan": 27_200},
        {"purposes": ["space"], "districts": ["east"], "for_each": "district", "at_most_share": 37_440 / 75_000},
        {"types": ["residential"], "for_each": "community", "purposes": ["work_funds"], "at_most_yuan": 11_000},
    ]
    sources["city"].update(amount_yuan=[80_000, 41_000], committed_yuan=[5000, 1000], lasts_years=2)
    # The donor pays 430 for stations, in 2007 in the east, where the city pays 10,000.
    plan.scenario["co_funding"].append(
        {"payer": "city", "of": "donor", "purpose": "service_capital", "ratio": 10_000 / 430, "cap_yuan": 430}
    )
    # Yearly in 2008: the city 5,148 for stations and 1,309 for rooms, the lottery 2,000 of 4,000, the donor 330.
    plan.scenario["running_commitment"] = {"share": 0.5}
    ledger = plan.tables["ledger"]
    rooms = (ledger["purpose"] == "space") & (ledger["site"] != "ec")
    once = {("space", "ea", 2007): 16_000, ("space", "sb", 2007): 21_000}
    yearly = [
        yuan - once.get((purpose, site, year), 0) if (is_room or purpose == "service_running") else 0
        for yuan, site, year, is_room, purpose in zip(
            ledger["yuan"], ledger["site"], ledger["year"], rooms, ledger["purpose"], strict=True
        )
    ]
    plan.tables["ledger"] = ledger.assign(yearly_yuan=yearly)


@decision("limits")
def community_below_its_floor(plan: Plan) -> None:
    strict(plan)
    plan.scenario["sources"]["city"]["limits"][0]["at_least_yuan"] = 13_493


@decision("limits")
def community_above_its_ceiling(plan: Plan) -> None:
    strict(plan)
    plan.scenario["sources"]["city"]["limits"][2]["at_most_yuan"] = 10_999


@decision("limits")
def rooms_of_a_district_above_their_share(plan: Plan) -> None:
    strict(plan)
    plan.scenario["sources"]["city"]["limits"][1]["at_most_share"] = 37_439 / 75_000


@decision("limits")
def district_without_its_floor(plan: Plan) -> None:
    strict(plan)
    plan.scenario["sources"]["city"]["limits"].append(
        {"purposes": ["space"], "for_each": "district", "at_least_yuan": 1}
    )


@decision("co_funding")
def source_that_pays_less_than_its_match(plan: Plan) -> None:
    strict(plan)
    plan.scenario["co_funding"][1]["ratio"] = 23.3


@decision("match_cap")
def source_matched_beyond_its_cap(plan: Plan) -> None:
    strict(plan)
    plan.scenario["co_funding"][1]["cap_yuan"] = 429


@decision("running_commitment")
def more_bound_than_goes_on(plan: Plan) -> None:
    strict(plan)
    plan.scenario["running_commitment"]["share"] = 0.499


@decision("running_commitment")
def more_bound_than_goes_on_at_the_prices_of_later_years(plan: Plan) -> None:
    strict(plan)
    plan.scenario["running_commitment"]["years_after"] = 1


@decision("running_commitment")
def gift_bears_what_goes_on(plan: Plan) -> None:
    strict(plan)
    plan.scenario["sources"]["donor"]["recurring"] = False


@decision("yearly_cost")
def yearly_cost_called_capital(plan: Plan) -> None:
    strict(plan)
    plan.set("ledger", {"site": "ea", "year": 2008}, yearly_yuan=800)


@decision("yearly_cost")
def capital_called_yearly(plan: Plan) -> None:
    strict(plan)
    plan.set("ledger", {"site": "ob", "purpose": "service_capital"}, yearly_yuan=430)


@decision("yearly_cost")
def one_yuan_of_capital_called_yearly(plan: Plan) -> None:
    strict(plan)
    plan.set("ledger", {"site": "ob", "purpose": "service_capital"}, yearly_yuan=1)


@decision("yearly_cost")
def one_yuan_of_running_cost_not_called_yearly(plan: Plan) -> None:
    strict(plan)
    row = plan.tables["ledger"].query("site == 'ob' and purpose == 'service_running'").iloc[0]
    where = {"site": "ob", "purpose": "service_running", "year": int(row["year"]), "source": row["source"]}
    plan.set("ledger", where, yearly_yuan=int(row["yearly_yuan"]) - 1)


@decision("columns")
def yearly_costs_not_told_apart(plan: Plan) -> None:
    strict(plan)
    plan.tables["ledger"] = plan.tables["ledger"].drop(columns="yearly_yuan")


@table("source_amount")
def money_spoken_for_is_spent(plan: Plan) -> None:
    strict(plan)
    plan.scenario["sources"]["city"]["committed_yuan"] = [5000, 1500]


@table("ledger_row")
def row_that_does_not_foot(plan: Plan) -> None:
    plan.set("source_ledger", {"source": "east", "year": 2007, "purpose": ""}, closing_yuan=5)


@table("ledger_row")
def opening_balance_out_of_nothing(plan: Plan) -> None:
    where = {"source": "city", "year": 2008, "purpose": "space", "district": "east"}
    row = plan.tables["source_ledger"].query("source == 'city' and year == 2008 and purpose == 'space'").iloc[0]
    plan.set("source_ledger", where, opening_yuan=int(row["opening_yuan"]) + 9)


@table("ledger_total")
def money_spoken_for_that_is_not(plan: Plan) -> None:
    row = plan.tables["source_ledger"].query("source == 'east' and year == 2007 and purpose == ''").iloc[0]
    more = {column: int(row[column]) + 9 for column in ("new_yuan", "opening_yuan", "committed_yuan")}
    plan.set("source_ledger", {"source": "east", "year": 2007, "purpose": ""}, **more)


@table("ledger_figure")
def match_made_larger(plan: Plan) -> None:
    where = {"source": "city", "year": 2007, "purpose": "work_funds", "district": "east"}
    plan.set("source_ledger", where, matched_yuan=8001)


@table("ledger_figure")
def commitment_for_later_years_forgotten(plan: Plan) -> None:
    where = {"source": "city", "year": 2007, "purpose": "service_running", "district": "east"}
    plan.set("source_ledger", where, committed_later_yuan=0)


@table("ledger_figure")
def old_money_called_new(plan: Plan) -> None:
    book = plan.tables["source_ledger"]
    for purpose, sign in (("space", 1), ("service_running", -1)):
        row = book.query("source == 'city' and year == 2008 and purpose == @purpose").iloc[0]
        where = {"source": "city", "year": 2008, "purpose": purpose, "district": str(row["district"])}
        new, old = int(row["new_yuan"]) - 7 * sign, int(row["carried_in_yuan"]) + 7 * sign
        plan.set("source_ledger", where, new_yuan=new, carried_in_yuan=old)


# Met needs, scores, goals


@table("met_amount")
def more_met_than_the_plan_gives(plan: Plan) -> None:
    plan.set("met", {"community": "a", "need": "clinic", "year": 2007}, met_amount=420.0, met_share=0.7)


@table("met_amount")
def room_met_without_rooms(plan: Plan) -> None:
    plan.set("met", {"community": "c", "need": "space", "year": 2007}, met_amount=30.0, met_share=0.1)


@table("met_share")
def share_that_is_not_the_quotient(plan: Plan) -> None:
    plan.set("met", {"community": "a", "need": "clinic", "year": 2007}, met_share=0.67)


@table("need_amount")
def need_made_smaller(plan: Plan) -> None:
    plan.set("met", {"community": "b", "need": "clinic", "year": 2008}, need_amount=900.0, met_share=500 / 900)


@table("need_amount")
def weight_made_smaller(plan: Plan) -> None:
    plan.set("met", {"community": "a", "need": "clinic"}, weight=1.0)


@table("need_amount")
def people_forgotten(plan: Plan) -> None:
    plan.set("met", {"community": "b", "need": "clinic", "year": 2007}, persons=90)


@table("score")
def score_made_better(plan: Plan) -> None:
    plan.set("scores", {"community": "c", "year": "2007"}, score=0.6)


@table("score")
def score_of_the_horizon_made_better(plan: Plan) -> None:
    plan.set("scores", {"community": "c", "year": ""}, score=0.6)


@table("worst_off")
def worst_off_made_better(plan: Plan) -> None:
    stage(plan, "worst_off").update(value=0.6, bound=0.6)


@table("unmet_need")
def unmet_need_made_smaller(plan: Plan) -> None:
    stage(plan, "unmet_need").update(value=3805.4, bound=3805.4)


@table("travel_total")
def travel_made_smaller(plan: Plan) -> None:
    stage(plan, "travel").update(value=509_000.0, bound=509_000.0)


@table("spending")
def spending_made_smaller(plan: Plan) -> None:
    stage(plan, "spending").update(value=136_473.0, bound=136_473.0)


@table("set_aside")
def set_aside_in_secret(plan: Plan) -> None:
    plan.set("scores", {"community": "d"}, set_aside=0)


@table("set_aside")
def set_aside_though_it_could_do_better(plan: Plan) -> None:
    """In place of d, which then holds the level down to nothing."""
    plan.record["set_aside"] = ["b"]
    plan.set("scores", {"community": "b"}, set_aside=1)
    plan.set("scores", {"community": "d"}, set_aside=0)
    stage(plan, "worst_off").update(value=0.0, bound=0.0)


@table("set_aside")
def more_set_aside_than_may_be(plan: Plan) -> None:
    """Of seven one may be: with c set aside too, b is the worst-off of the others."""
    plan.record["set_aside"] = ["c", "d"]
    plan.set("scores", {"community": "c"}, set_aside=1)
    scores = plan.tables["scores"]
    score = float(scores[(scores["community"] == "b") & (scores["year"] == "")]["score"].item())
    stage(plan, "worst_off").update(value=score, bound=score)


@table("need_amount")
def money_counted_in_metres(plan: Plan) -> None:
    plan.set("met", {"need": "work_funds"}, unit="m2")


# Files


@table("record")
def gap_that_does_not_follow(plan: Plan) -> None:
    stage(plan, "travel").update(bound=500_000.0)


@table("record")
def value_better_than_its_bound(plan: Plan) -> None:
    stage(plan, "worst_off").update(bound=0.5, gap=abs(BY_HAND["worst_off"] - 0.5) / BY_HAND["worst_off"])


@table("record")
def reached_in_another_unit_than_the_bound(plan: Plan) -> None:
    spending = stage(plan, "spending")
    spending.update(reached=spending["value"] / 1e4, reached_gap=0.0)


@table("record")
def reached_its_bound_and_yet_not(plan: Plan) -> None:
    stage(plan, "travel").update(reached=stage(plan, "travel")["value"], reached_gap=0.2)


@table("record")
def gap_too_wide_for_a_proof(plan: Plan) -> None:
    stage(plan, "travel").update(bound=459_000.0, gap=0.1)


@table("record")
def gap_of_a_value_that_is_its_bound(plan: Plan) -> None:
    """Values within a millionth of their bound have no gap, also where they are as small themselves."""
    travel = stage(plan, "travel")
    travel.update(bound=travel["value"] - 5e-7, gap=1.0)


@table("record")
def record_without_a_seed(plan: Plan) -> None:
    del plan.record["seed"]


def lie(part: str, value: Any) -> Change:
    """Say something else in the record (of a stage: "goal.part")."""
    goal, _, name = part.rpartition(".")

    def change(plan: Plan) -> None:
        (stage(plan, goal) if goal else plan.record)[name] = value

    change.__name__ = f"{part} {'other' if isinstance(value, dict) else value}".replace(" ", "_")
    return change


RECORD = [
    "scenario", "title", "status", "stages", "not_reached", "gap", "method", "years", "currency", "set_aside",
    "fairness", "classes", "one_stop", "audit", "tables", "versions", "seed", "threads",
]  # fmt: skip
LIES: list[tuple[str, Any]] = [
    ("scenario", "base"),
    ("title", "Five communities"),
    ("currency", {"code": "CNY", "name": "yuan", "unit_yuan": 1000}),
    ("seed", 7),
    ("threads", 64),
    ("status", "feasible"),  # and every goal is proven
    ("status", "by rule"),
    ("method", "by hand"),
    ("method", "per_capita"),
    ("not_reached", ["travel"]),
    ("gap", 0.01),
    ("gap", None),
    ("decisions_that_differ", 3),
    ("travel.gap", 0.001),  # its value is its bound
    ("travel.seconds", -1.0),
    ("travel.seconds", None),
    ("travel.unit", "person-kilometres"),
    ("travel.tolerance", 0.5),
    ("travel.status", "optimal"),
    ("travel.status", "feasible"),
    ("travel.status", None),
    ("travel.scope", "every plan there could be"),
    ("travel.scope", "plans with these stations and rooms"),  # no whole model has bounds for such plans
    ("travel.scope", "plans that keep the level of every community"),
    ("worst_off.scope", "plans as good in the frontier's other goals"),
    ("unmet_need.scope", None),
]
for said, value in LIES:
    table("record")(lie(said, value))


@table("record")
def prices_that_prove_travel_for_all_plans(plan: Plan) -> None:
    """Stations and rooms are kept when a city is planned by prices."""
    plan.record["method"] = "prices"
    stage(plan, "spending")["scope"] = "plans with these stations and rooms"


@table("record")
def prices_that_were_not_asked_for(plan: Plan) -> None:
    plan.scenario["solver"] = {"method": "whole"}
    plan.record["method"] = "prices"
    for goal in ("travel", "spending"):
        stage(plan, goal)["scope"] = "plans with these stations and rooms"


@table("record")
def a_goal_left_out(plan: Plan) -> None:
    plan.record["stages"].remove(stage(plan, "travel"))
    plan.record["not_reached"] = ["travel"]


@table("record")
def a_goal_left_out_of_a_plan_that_is_not_proven(plan: Plan) -> None:
    plan.record["stages"].remove(stage(plan, "travel"))
    plan.record["status"] = "feasible"


@table("record")
def a_goal_twice(plan: Plan) -> None:
    plan.record["stages"].append(stage(plan, "travel"))


@table("record")
def goals_in_another_order(plan: Plan) -> None:
    plan.record["stages"].reverse()


@table("record")
def closest_to_no_plan(plan: Plan) -> None:
    said = {"value": 2.0, "bound": 2.0, "unit": "decisions", "tolerance": 0.0}
    plan.record["stages"].append({**stage(plan, "travel"), "goal": "closeness", **said})
    plan.record["decisions_that_differ"] = 2


@table("record")
def closeness_of_other_decisions(plan: Plan) -> None:
    closest_to_no_plan(plan)
    plan.record.update(closest_to="base-1", decisions_that_differ=0)


@table("record")
def unknown_status(plan: Plan) -> None:
    plan.record["status"] = "optimal"


@table("input_hashes")
def input_named_that_is_not_there(plan: Plan) -> None:
    plan.record["inputs"] = {"nowhere.gpkg": "0" * 64}


@table("keys")
def grant_twice(plan: Plan) -> None:
    plan.add("grants", **plan.tables["grants"].iloc[0].to_dict())


@table("names")
def unknown_community(plan: Plan) -> None:
    plan.add("scores", community="=cmd()", year="2007", score=1.0, set_aside=0)


@table("names")
def year_outside_the_horizon(plan: Plan) -> None:
    plan.add("grants", community="a", year=2009, entitled_yuan=0, grant_yuan=0, **{"class": "general"})


@table("complete")
def need_left_out(plan: Plan) -> None:
    plan.drop("met", {"community": "b", "need": "space", "year": 2008})


@table("values")
def seven_decimals(plan: Plan) -> None:
    scores = plan.tables["scores"]
    texts = ["0.0000000" if i == "d" else f"{x:.6f}" for i, x in zip(scores["community"], scores["score"], strict=True)]
    plan.tables["scores"] = scores.assign(score=texts)


@table("values")
def money_in_fractions(plan: Plan) -> None:
    met = plan.tables["grants"]
    plan.tables["grants"] = met.assign(grant_yuan=[f"{x}.0" if x == 0 else str(x) for x in met["grant_yuan"]])


@table("values")
def less_than_nothing_met(plan: Plan) -> None:
    plan.set("met", {"community": "d", "need": "space", "year": 2007}, met_amount=-0.00001)


@table("columns")
def column_renamed(plan: Plan) -> None:
    plan.tables["grants"] = plan.tables["grants"].rename(columns={"grant_yuan": "grant"})


@table("files")
def table_left_out(plan: Plan) -> None:
    del plan.tables["sources"]


@table("one_stop_saving")
def saving_of_a_building_with_one_service(plan: Plan) -> None:
    row = ["sb", "b", 2, 80, 160, 21504, 30000, 8496]
    plan.tables["one_stop"] = pd.DataFrame([row], columns=plan.tables["one_stop"].columns)
    plan.record["one_stop"] = {"buildings": 1, "saved_yuan": 8496}


@table("one_stop_saving")
def saving_that_no_table_has(plan: Plan) -> None:
    plan.record["one_stop"] = {"buildings": 0, "saved_yuan": 8496}


# Inequality


def evenly() -> dict[str, Any]:
    """The part `fairness` of the record of the correct plan, from scores counted by hand (a, b, c, d; e, f, g: 1)."""
    first = [(1 / 3 + 2 / 6 + 0.8) / 5, 0.2 / 4, 1.6 / 5, 0.0, 1.0, 1.0, 1.0]
    a = 5 / 9 * (1 + 0.4 + 4 / 3 + 0.8) / 5 + 4 / 9 * (1 + 0.9 + 4 / 3 + 1) / 5
    scores = {"before": first, "after": [a, (13 / 14 + 0.3 + 0.5 + 1) / 4, BY_HAND["worst_off"], 0.0, 1.0, 1.0, 1.0]}
    people = np.array([1000.0, 2000.0, 500.0, 800.0, 100.0, 100.0, 100.0])
    said: dict[str, Any] = {"epsilon": 0.5, "envy": {"alike": 0.9, "clearly_less": 0.8, "pairs": 0, "worst": []}}
    for when, score in scores.items():
        s = np.array(score)
        said[when] = {}
        for end, w in (("", np.ones(7)), ("_persons", people)):
            mean = float(w @ s / w.sum())
            spread = sum(w[i] * w[j] * abs(s[i] - s[j]) for i in range(7) for j in range(7)) / w.sum() ** 2
            alike = float(w @ np.sqrt(s) / w.sum()) ** 2
            logs = sum(w[i] * s[i] / mean * np.log(s[i] / mean) for i in (0, 1, 2, 4, 5, 6)) / w.sum()
            said[when] |= {f"mean{end}": mean, f"gini{end}": float(spread / (2 * mean))}
            said[when] |= {f"atkinson{end}": 1 - alike / mean, f"theil{end}": float(logs)}
    return said


@table("inequality")
def inequality_made_small(plan: Plan) -> None:
    plan.record["fairness"] = evenly()
    plan.record["fairness"]["after"]["gini_persons"] -= 0.001


@table("inequality")
def inequality_before_made_large(plan: Plan) -> None:
    plan.record["fairness"] = evenly()
    plan.record["fairness"]["before"]["theil"] += 0.001


@decision("inequality_bound")
def more_unequal_than_gini_allows(plan: Plan) -> None:
    plan.scenario["fairness"] = {"gini_at_most": 0.1}


@decision("inequality_bound")
def more_unequal_than_atkinson_allows(plan: Plan) -> None:
    plan.scenario["fairness"] = {"atkinson_at_most": {"epsilon": 0.5, "value": 0.02}}


@decision("group_share")
def west_without_its_share_of_money(plan: Plan) -> None:
    """Of 94,260 yuan for single communities c gets 24,756."""
    plan.scenario["fairness"] = {"groups": [{"districts": ["west"], "least_share_of_money": 0.3}]}


@decision("group_share")
def poor_without_their_share_of_needs(plan: Plan) -> None:
    """Of 2,400 person-needs of the poor by hand, b lacks 1,992.86 of 6,900 and c 660 of 1,600."""
    plan.scenario["fairness"] = {"groups": [{"classes": ["poor"], "least_met_share": 0.7}]}


@table("weighted")
def weighted_sum_of_other_weights(plan: Plan) -> None:
    plan.scenario["goals"] = [*goals_of(plan), {"goal": "weighted", "weights": {"spending": 2.0}, "tolerance": 0.0}]
    value = 3 * BY_HAND["spending"]
    said = {"goal": "weighted", "unit": "points", "value": value, "bound": value, "tolerance": 0.0}
    plan.record["stages"].append({**stage(plan, "spending"), **said})


def levels_by_hand() -> dict[str, Any]:
    """Levels below the scores counted by hand: d has nothing, c 0.504, b 0.682, a 0.769, the others all."""
    levels = [(0.0, "d"), (0.5, "c"), (0.68, "b"), (0.76, "a"), (1.0, "efg")]
    said = [{"level": z, "bound": z, "proven": True, "communities": list(names)} for z, names in levels]
    return {"step": 0.005, "scope": "all plans", "complete": True, "levels": said}


def goals_of(plan: Plan) -> list[dict[str, Any]]:
    """Goals of the scenario with everything filled in."""
    return [goal.model_dump() for goal in Scenario(**plan.scenario).goals]


def leximin(plan: Plan) -> None:
    """Ask for leximin and say the levels; bounds of later goals hold for plans that keep them."""
    first, *rest = goals_of(plan)
    plan.scenario["goals"] = [{**first, "leximin": True}, *rest]
    for goal in rest:
        stage(plan, goal["goal"])["scope"] = "plans that keep the level of every community"
    plan.record["leximin"] = levels_by_hand()


@table("levels")
def a_community_at_no_level(plan: Plan) -> None:
    leximin(plan)
    plan.record["leximin"]["levels"][0]["communities"] = []


@table("levels")
def levels_that_are_not_said(plan: Plan) -> None:
    first, *rest = goals_of(plan)
    plan.scenario["goals"] = [{**first, "leximin": True}, *rest]


@table("levels")
def a_level_nobody_keeps(plan: Plan) -> None:
    leximin(plan)
    plan.record["leximin"]["levels"][3] |= {"level": 0.95, "bound": 0.95}


@table("levels")
def levels_that_fall(plan: Plan) -> None:
    leximin(plan)
    plan.record["leximin"]["levels"][2]["level"] = 0.4


@table("levels")
def levels_nobody_asked_for(plan: Plan) -> None:
    leximin(plan)
    plan.scenario["goals"][0]["leximin"] = False


@table("levels")
def levels_of_other_plans(plan: Plan) -> None:
    leximin(plan)
    plan.record["leximin"]["scope"] = "plans with these stations and rooms"


@table("levels")
def levels_of_another_step(plan: Plan) -> None:
    leximin(plan)
    plan.record["leximin"]["step"] = 0.5


@table("levels")
def a_level_proven_above_one_that_is_not(plan: Plan) -> None:
    leximin(plan)
    plan.record["leximin"]["levels"][1]["proven"] = False


@table("inequality")
def inequality_by_another_epsilon(plan: Plan) -> None:
    plan.record["fairness"] = {**evenly(), "epsilon": 0.4}


@table("price_of_fairness")
def a_price_nobody_asked_for(plan: Plan) -> None:
    plan.record["fairness"]["price"] = {"found": False, "stopped": "time"}


@table("envy")
def envy_not_counted(plan: Plan) -> None:
    plan.record["fairness"]["envy"]["pairs"] = 1


@table("envy")
def envy_of_unlike_communities(plan: Plan) -> None:
    pair = {"community": "c", "other": "a", "got_share": 0.7, "need_per_resident": 1, "other_need_per_resident": 1}
    plan.record["fairness"]["envy"]["worst"] = [pair]


@table("envy")
def envy_of_the_very_poor_only(plan: Plan) -> None:
    plan.record["fairness"]["envy"]["clearly_less"] = 0.1


@table("envy")
def envy_of_the_very_alike_only(plan: Plan) -> None:
    plan.record["fairness"]["envy"]["alike"] = 0.999


FOLLOWS = {"ledger_total", "ledger_figure"}  # the ledger of sources then does not agree with the sources either
LEVELS = {"hangs_on_centre", "referral"}
UNASKED = {
    "inequality_bound",
    "group_share",
    "levels",
    "weighted",
}  # of how evenly communities are treated
STRICT = {
    *UNASKED,
    "limits",
    "match_cap",
    "yearly_cost",
    "running_commitment",
    "expiry",
    "debt_relief",
}  # asked for by some scenarios only
CASES = [pytest.param(rule, True, change, id=f"{rule}-{name}") for rule, name, change in DECISIONS]
CASES += [pytest.param(rule, False, change, id=f"{rule}-{name}") for rule, name, change in TABLES]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny city as it is written once."""
    path = tmp_path_factory.mktemp("城市 city") / "city.gpkg"
    write_city(correct_plan(), path)
    return path


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a city once for all corruptions that leave it as it is."""
    monkeypatch.setattr("optimizer.audit.inputs.read_city", _read_once)


@cache
def _read_city(path: str, metric_crs: str, _changed: int) -> City:
    return read_city(path, metric_crs=metric_crs)


def _read_once(path: str, **how: Any) -> City:
    return _read_city(path, how["metric_crs"], Path(path).stat().st_mtime_ns)


@pytest.fixture
def run(city: Path, tmp_path: Path) -> Path:
    """Run folder of the correct plan."""
    plan = correct_plan()
    derived(plan)
    write_run(plan, tmp_path / "run", city)
    return tmp_path / "run"


def test_the_plan_solved_by_hand_passes(run: Path) -> None:
    report = audit_run(run)
    assert report.passed, report.text()
    assert report.findings == []
    assert report.figures > 400
    asked = RULES.keys() - {"hard_floor", "continuity"} - STRICT - LEVELS - BY_SPACE - BY_PRICE - BY_SPLIT
    assert {check.name for check in report.checks} == asked


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("part", RECORD)
def test_a_record_without_a_part_is_a_finding(part: str, run: Path) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    del record[part]
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert f"record  run.json, {part}: {part} is missing" in audit_run(run).text()


def test_inequality_counted_by_hand_passes(city: Path, tmp_path: Path) -> None:
    plan = correct_plan()
    derived(plan)
    plan.record["fairness"] = evenly()
    write_run(plan, tmp_path / "run", city)
    report = audit_run(tmp_path / "run")
    assert report.passed, report.text()
    assert {"inequality", "envy"} <= {check.name for check in report.checks}


def test_a_plan_that_keeps_every_rule_of_money_passes(city: Path, tmp_path: Path) -> None:
    plan = correct_plan()
    strict(plan)
    derived(plan)
    write_run(plan, tmp_path / "run", city)
    report = audit_run(tmp_path / "run")
    assert report.passed, report.text()
    assert {check.name for check in report.checks} >= STRICT - {"debt_relief", *UNASKED}


@pytest.mark.parametrize("free", [200_000, 199_000])
def test_indicators_and_own_income_count_in_entitlements(free: int, city: Path, tmp_path: Path) -> None:
    plan = correct_plan()
    funds = programme(plan, "work_funds")
    funds.update(care_hardship=0, care_indicators=[{"column": "hardship", "full_at": 0.75, "weight": 0.3}])
    funds["own_income"] = {"share": 1, "free_yuan": free, "debt_service_share": 0.5}  # a has 200,000 and no debt
    derived(plan)
    write_run(plan, tmp_path / "run", city)
    report = audit_run(tmp_path / "run")
    assert report.passed == (free == 200_000), report.text()
    assert report.passed or "entitlement" in {finding.rule for finding in report.findings}


@pytest.mark.parametrize(("carried", "found"), [([16_000, 9000, 0], 0), ([16_000, 9001, 0], 1), ([16_000, 0, 0], 0)])
def test_money_kept_beyond_its_years_is_found(carried: list[int], found: int) -> None:
    # Money lasts two years. 20,000 in 2007, of which 4,000 are spent; then 9,000, and 1,000 spent of the old money.
    years = [2007, 2008, 2009]
    rows = {"year": years, "amount_yuan": [20_000, 9000, 0], "spent_yuan": [4000, 1000, 0], "carried_out_yuan": carried}
    case = SimpleNamespace(
        scenario={"sources": {"city": {"lasts_years": 2}}}, tables={"sources": pd.DataFrame(rows).assign(source="city")}
    )
    recorder = Recorder()
    check_expiry(cast(Case, case), recorder)
    assert recorder.report().findings_count == found


def test_the_goals_are_those_counted_by_hand() -> None:
    plan = correct_plan()
    derived(plan)
    assert {stage["goal"]: stage["value"] for stage in plan.record["stages"]} == pytest.approx(BY_HAND, rel=1e-12)


def test_halls_may_be_shared_more_later(city: Path, tmp_path: Path) -> None:
    plan = correct_plan()
    plan.set("space", {"site": "ha", "year": 2007, "community": "b"}, area_m2=20, cost_yuan=200)
    plan.pay("donor", "space", 2007, 200, site="ha", community="b")
    derived(plan)
    write_run(plan, tmp_path / "run", city)
    report = audit_run(tmp_path / "run")
    assert report.passed, report.text()


@pytest.mark.parametrize("site", ["sb", "ea", "ec"])
def test_rooms_without_a_community_are_found(site: str, run: Path) -> None:
    path = run / "tables" / "space.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[table["site"] == site, "community"] = ""
    table.to_csv(path, index=False, lineterminator="\n")
    report = audit_run(run)
    assert f"names  space, {site}, 2008: the community is empty" in report.text()


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize(("rule", "before", "change"), CASES)
def test_a_corrupted_plan_is_named_by_its_rule(
    rule: str, before: bool, change: Change, city: Path, tmp_path: Path
) -> None:
    plan = correct_plan()
    if before:
        change(plan)
    derived(plan)
    if not before:
        change(plan)
    if plan.city_changed:
        city = tmp_path / "city.gpkg"
        write_city(plan, city)
    write_run(plan, tmp_path / "run", city)
    report = audit_run(tmp_path / "run")
    assert not report.passed
    follows = FOLLOWS if rule in {"footing", "carry", "source_amount"} and not before else set()
    assert {finding.rule for finding in report.findings} - follows == {rule}, report.text()
    assert report.findings_count == len(report.findings)
    assert all(finding.message and "{" not in finding.message for finding in report.findings)


@pytest.mark.parametrize("change", ["a blank", "a new table", "no hashes"])
def test_tables_that_are_not_those_that_were_written_are_found(change: str, run: Path) -> None:
    path = run / "tables" / "met.csv"
    if change == "a blank":  # it says the same
        path.write_bytes(path.read_bytes() + b"\n")
    elif change == "a new table":
        (run / "tables" / "more.csv").write_text("community\n", encoding="utf-8")
    else:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        (run / "run.json").write_text(json.dumps({**record, "tables": ["met.csv"]}), encoding="utf-8")
    (finding,) = audit_run(run).findings
    assert finding.rule == "table_hashes"
    assert finding.row == {"a blank": "met.csv", "a new table": "", "no hashes": "tables"}[change]


def test_every_rule_but_those_of_reading_has_a_corruption() -> None:
    elsewhere = (
        {"inputs", "table_hashes", "expiry", "debt_relief"} | LEVELS | BY_CLOSING | BY_SPACE | BY_SWAPS | BY_SPLIT
    )  # of levels: test_hierarchy
    assert {rule for rule, _, _ in DECISIONS + TABLES} == RULES.keys() - elsewhere


def test_a_changed_input_is_found(city: Path, tmp_path: Path) -> None:
    mine = tmp_path / "city.gpkg"
    shutil.copy(city, mine)
    plan = correct_plan()
    derived(plan)
    write_run(plan, tmp_path / "run", mine)
    plan.city["communities"]["note"] = "changed"
    mine.unlink()
    write_city(plan, mine)
    assert {finding.rule for finding in audit_run(tmp_path / "run").findings} == {"input_hashes"}


@pytest.mark.parametrize("name", ["run.json", "scenario.resolved.yaml", "tables/met.csv"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"[1, 2"])
def test_unreadable_files_are_findings(name: str, content: bytes | None, run: Path) -> None:
    (run / name).unlink()
    if content is not None:
        (run / name).write_bytes(content)
    report = audit_run(run)
    assert not report.passed
    assert {finding.rule for finding in report.findings} <= {"files", "columns"}
    assert (content is None) == ("there is no such file" in report.text())
    assert "Errno" not in report.text()


def test_a_city_that_is_gone_is_a_finding(tmp_path: Path, city: Path) -> None:
    mine = tmp_path / "city.gpkg"
    shutil.copy(city, mine)
    plan = correct_plan()
    derived(plan)
    write_run(plan, tmp_path / "run", mine)
    mine.unlink()
    report = audit_run(tmp_path / "run")
    assert {finding.rule for finding in report.findings} == {"inputs"}


def test_no_folder_is_a_finding(tmp_path: Path) -> None:
    assert {finding.rule for finding in audit_run(tmp_path / "nothing").findings} == {"files"}


def test_many_findings_are_counted_and_some_of_each_rule_listed(run: Path) -> None:
    path = run / "tables" / "met.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    more = [table.assign(community=f"x{n}" + table["community"]) for n in range(20)]
    pd.concat([table.assign(unit=""), *more]).to_csv(path, index=False)
    report = audit_run(signed(run))
    assert report.findings_count == 20 * 56 + 56
    assert len(report.findings) == 200
    assert {finding.rule for finding in report.findings} == {"names", "need_amount"}
    assert "and 976 more" in report.text()


@pytest.mark.usefixtures("read_once")
def test_a_changed_cell_anywhere_is_found(run: Path) -> None:
    pick = random.Random(2006)
    files = sorted((run / "tables").glob("*.csv"))
    texts = {file: file.read_bytes() for file in files}
    for file in files * 3:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if table.empty:
            continue
        row, column = pick.randrange(len(table)), pick.choice(list(table.columns))
        old = str(table.loc[row, column])
        others = sorted(set(table[column]) - {old}) or ["other"]
        table.loc[row, column] = changed(old) if old.replace(".", "").isdigit() else pick.choice(others)
        table.to_csv(file, index=False, lineterminator="\n")
        found = {finding.rule for finding in audit_run(run).findings}
        assert "table_hashes" in found, file.name
        assert found > {"table_hashes"}, f"{file.name}, row {row}: {column} is not {old}"
        file.write_bytes(texts[file])


def changed(number: str) -> str:
    """Another number of the same kind, not far away."""
    return str(int(number) + 2) if number.isdigit() else f"{float(number) * 1.01 + 0.003:.6f}"


def test_the_report_goes_into_the_record(run: Path) -> None:
    said = json.loads(json.dumps(audit_run(run).to_json()))
    assert said["passed"] is True
    assert said["findings"] == []
    assert {"name", "equation", "figures_recomputed", "asks", "findings"} == set(said["checks"][0])


def test_the_folder_keeps_the_contract(run: Path, shared: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(shared / "check_run.py"), str(run)], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout


ODD = [None, 3, "word", [], {}, [1], {"a": 1}, [{"goal": "travel"}], [{"goal": None, "value": "x"}], True]


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("part", ["stages", "set_aside", "classes", "inputs", "years", "gap"])
def test_a_record_of_odd_kinds_is_a_finding(part: str, run: Path) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    for odd in ODD:
        (run / "run.json").write_text(json.dumps({**record, part: odd}), encoding="utf-8")
        assert not audit_run(run).passed, f"{part} = {odd}"


@pytest.mark.parametrize(
    "part", ["data", "horizon", "types", "guidance", "programmes", "sources", "co_funding", "goals"]
)
def test_a_scenario_without_a_part_is_a_finding(part: str, run: Path) -> None:
    path = run / "scenario.resolved.yaml"
    scenario = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    del scenario[part]
    path.write_text(json.dumps(scenario), encoding="utf-8")
    report = audit_run(run)
    assert "files" in {finding.rule for finding in report.findings}, report.text()
