"""The ledger of every source by year, purpose and district, equations (20), (22) and (24): what comes, goes and stays.

Every row foots: `carried_in + new = opening`, `opening − committed − spent = closing`, and
`closing = carried_out + lapsed`.
What a purpose in a district spends is its row; what is not spent is the row without purpose and district.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from optimizer.scenario import Scenario
from optimizer.scenario_money import payers

KEYS = ["source", "year", "purpose", "district"]
AMOUNTS = [
    "carried_in_yuan",
    "new_yuan",
    "opening_yuan",
    "committed_yuan",
    "spent_yuan",
    "closing_yuan",
    "carried_out_yuan",
    "lapsed_yuan",
    "matched_yuan",
    "committed_later_yuan",
]


def source_ledger(scenario: Scenario, ledger: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `source_ledger.csv` from the payments and the sources of a plan, in whole yuan.

    Of what a year spends, money carried in is spent first, on purposes and districts in their order.
    """
    spent: Mapping[Any, int] = ledger.groupby(KEYS)["yuan"].sum().to_dict()
    later, beside = _committed_later(ledger), _matched(scenario, spent)
    rows: list[dict[str, object]] = []
    for line in sources.itertuples(index=False):
        source, year = str(line.source), int(str(line.year))
        carried, out, lapsed = (int(str(getattr(line, f"{x}_yuan"))) for x in ("carried_in", "carried_out", "lapsed"))
        taken = scenario.sources[source].spoken_for_yuan(len(scenario.years))
        t = scenario.years.index(year)
        new = int(str(line.amount_yuan)) + taken[t]
        for key in sorted(k for k in spent if k[:2] == (source, year)):
            old = min(carried, spent[key])
            more = {"matched_yuan": beside.get(key, 0), "committed_later_yuan": later.get(key, 0)}
            rows.append(_row(key, old, spent[key] - old, 0, spent[key], 0, 0) | more)
            carried, new = carried - old, new - (spent[key] - old)
        more = {"matched_yuan": 0, "committed_later_yuan": sum(taken[t + 1 :])}
        rows.append(_row((source, year, "", ""), carried, new, taken[t], 0, out, lapsed) | more)
    frame = pd.DataFrame(rows, columns=[*KEYS, *AMOUNTS])
    return frame.sort_values(KEYS, ignore_index=True).astype(dict.fromkeys(AMOUNTS, "int64"))


def _row(
    key: tuple[str, int, str, str], carried_in: int, new: int, committed: int, spent: int, out: int, lapsed: int
) -> dict[str, object]:
    opening = carried_in + new
    amounts = (carried_in, new, opening, committed, spent, opening - committed - spent, out, lapsed)
    return dict(zip(KEYS, key, strict=True)) | dict(zip(AMOUNTS, amounts, strict=False))


def _matched(scenario: Scenario, spent: Mapping[Any, int]) -> dict[tuple[str, int, str, str], int]:
    """What the payers of co-funding (22) pay beside a source, for the same purpose in the same district and year."""
    by: dict[tuple[str, str], set[str]] = {}
    for rule in scenario.co_funding:
        by.setdefault((rule.of, rule.purpose), set()).update(payers(scenario, rule))
    return {
        key: sum(spent.get((payer, *key[1:]), 0) for payer in by.get((key[0], key[2]), set()) - {key[0]})
        for key in spent
    }


def _committed_later(ledger: pd.DataFrame) -> dict[tuple[str, int, str, str], int]:
    """What a source pays in later years to run the stations that are run by a year: they stay open (10)."""
    running = ledger[ledger["purpose"] == "service_running"]
    station = ["service", "site", "community"]
    first = running.groupby(station)["year"].transform("min")
    totals: dict[tuple[str, int, str, str], int] = {}
    lines = zip(running["source"], running["year"], running["district"], running["yuan"], first, strict=True)
    for source, year, district, yuan, since in lines:
        for earlier in range(int(since), int(year)):
            key = (str(source), earlier, "service_running", str(district))
            totals[key] = totals.get(key, 0) + int(yuan)
    return totals
