"""Why a community gets what it gets, in sentences made from the inputs, the scenario and the tables."""

from collections.abc import Hashable, Mapping
from typing import Any

from optimizer.facts import Facts
from optimizer.words import (
    class_title,
    listed,
    need_title,
    number,
    percent,
    share,
    source_title,
    type_title,
    years_listed,
)

Row = Mapping[Hashable, Any]


def why(facts: Facts, community: str) -> list[str]:
    """Say why a community gets what it gets: its class and reason, its entitlement, its rooms, what stays unmet."""
    if community not in facts.rows:
        known = listed(sorted(map(str, facts.rows)), 12)
        raise KeyError(f"{community}: there is no such community; communities are {known}")
    row = facts.rows[community]
    said = [
        _why_class(facts, community),
        *_why_funds(facts, community, row),
        *_why_space(facts, community),
        *_why_services(facts, community),
        *_why_money(facts, community, row),
        *_why_aside(facts, community),
    ]
    return [line for line in said if line]


def _why_class(facts: Facts, community: str) -> str:
    scenario = facts.run.scenario
    name = str(facts.run.record.get("classes", {}).get(community, "")) or facts.class_of.get(community, "")
    rule = scenario.guidance.get(name)
    if rule is None:
        return ""
    words = {"work_funds": "work funds", "space": "space", "services": "services"}
    words |= {"debt_relief": "debt relief"} if scenario.programmes.debt_relief else {}
    without = [w for key, w in words.items() if key not in rule.purposes]
    limits = f" The plan gives this class no {listed(without)}." if without else ""
    reason = f" {rule.reason.strip()}" if rule.reason.strip() else ""
    return f"Guidance class: {class_title(scenario, name)}.{reason}{limits}"


def _why_funds(facts: Facts, community: str, row: Row) -> list[str]:
    scenario = facts.run.scenario
    currency, funds = scenario.currency.name, scenario.programmes.work_funds
    entitled, grant = facts.grants.get((community, facts.last), (0, 0))
    shares, incomes = facts.entitled_by
    income = number(float(incomes[community]))
    if entitled <= 0:
        rule = scenario.guidance.get(facts.class_of.get(community, ""))
        if not float(incomes[community]) or rule is None or "work_funds" not in rule.purposes:
            return []
        return [f"Work funds: none due in {facts.last}, as {income} {currency} of its own income stand in for them."]
    names = {"type": f"its type ({type_title(scenario, str(row['type'])).lower()})"}
    parts = [f"the floor of {number(funds.floor_yuan)} {currency}"]
    for name, part in shares:
        if float(part[community]):
            parts.append(f"{percent(float(part[community]))} of it for {names.get(name, name.replace('_', ' '))}")
    less = f", less {income} of its own income" if float(incomes[community]) else ""
    prices = f", in prices of {facts.last}" if scenario.horizon.price_growth and facts.last > facts.first else ""
    gets = f"gets {number(grant)} ({percent(grant / entitled)} of it)" if grant else "gets none of it"
    gets = "gets it in full" if grant >= entitled else gets
    basis = " plus ".join(parts) + less + prices
    return [f"Work funds: entitled to {number(entitled)} {currency} in {facts.last} ({basis}); {gets}."]


def _why_space(facts: Facts, community: str) -> list[str]:
    rows = facts.last_met.get((community, "space"))
    if rows is None or rows.need_amount <= 0:
        return []
    said = f"Space: {number(rows.met_amount)} of {number(rows.need_amount)} m² in {facts.last}"
    if rows.met_share >= 0.9995:
        return [said + "; the target is met."]
    offered = facts.rooms_offered.get(community, 0.0)
    used = facts.rooms_used.get(community, 0.0)
    if offered <= 0:
        return [said + "; no rooms that could be added to its office are on offer."]
    if used >= offered * 0.999:
        return [said + f"; all rooms on offer to it ({number(offered)} m²) are taken."]
    return [said + f"; {number(offered - used)} m² on offer to it are not taken."]


def _why_services(facts: Facts, community: str) -> list[str]:
    """Say why services stay short, those with one reason together."""
    scenario = facts.run.scenario
    groups: dict[str, list[str]] = {}
    for need, service in scenario.services.items():
        rows = facts.last_met.get((community, need))
        if rows is None or rows.need_amount <= 0 or rows.met_share >= 0.9995:
            continue
        if service.siting == "own":
            why = "what is open at its own office is too small, and no more is opened there"
        elif community in facts.out_of_reach(need):
            within = service.within.replace("_", "-")
            limits = [f"{number(service.limit_m)} m"] if service.limit_m else []
            limits += [f"{service.limit_minutes:g} minutes"] if service.limit_minutes else []
            people = facts.city.people["community"]
            centre = "of where its people live" if people.isin([community]).any() else "of its office"
            why = (
                f"no station that could serve it, and no building that could hold one, lies within "
                f"{' and '.join(limits)} {service.travel} {centre} in the same {within}"
            )
        else:
            why = "the stations it can reach are too small or not opened"
        groups.setdefault(why, []).append(f"{need_title(scenario, need).lower()} ({share(rows.met_share)} met)")
    return [f"Short of {listed(names, 12)}: {why}." for why, names in groups.items()]


def _why_money(facts: Facts, community: str, row: Row) -> list[str]:
    """Name the money that may be spent here and is used up, where the community is short of something."""
    if all(facts.last_met[community, n].met_share >= 0.9995 for n in facts.needs if (community, n) in facts.last_met):
        return []
    scenario, used_up = facts.run.scenario, []
    for source, years in facts.binding.items():
        rule = scenario.sources.get(source)
        if rule is None or (rule.districts and str(row["district"]) not in rule.districts):
            continue
        if (rule.communities and community not in rule.communities) or (rule.types and row["type"] not in rule.types):
            continue
        used_up.append(f"{source_title(scenario, source)} ({years_listed(years)})")
    return [f"Money that may be spent here and is used up: {listed(used_up)}."] if used_up else []


def _why_aside(facts: Facts, community: str) -> list[str]:
    if community not in facts.set_aside:
        return []
    return ["No plan can raise its score to the level the others reach; it was set aside before that level was fixed."]
