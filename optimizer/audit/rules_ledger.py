"""The ledger of sources, recomputed from the payments and the sources of the tables: equations (20), (22) and (24)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder
from optimizer.audit.rules_money import spoken_for_yuan

KEYS = ["source", "year", "purpose", "district"]


def check_source_ledger(case: Case, recorder: Recorder) -> None:
    """Check every row and every total of the ledger of sources, equations (20), (22) and (24)."""
    book = case.tables["source_ledger"]
    _rows(book, recorder)
    _totals(case, book, recorder)
    _figures(case, book, recorder)


def _rows(book: pd.DataFrame, recorder: Recorder) -> None:
    """Every row foots by itself; rows of a purpose keep nothing."""
    inside = book["purpose"] != ""
    for left, right in (
        (book["opening_yuan"], book["carried_in_yuan"] + book["new_yuan"]),
        (book["closing_yuan"], book["opening_yuan"] - book["committed_yuan"] - book["spent_yuan"]),
        (book["closing_yuan"], book["carried_out_yuan"] + book["lapsed_yuan"]),
        (book["closing_yuan"].where(inside, 0), pd.Series(0, index=book.index)),
        (book["spent_yuan"].where(~inside, 0), pd.Series(0, index=book.index)),
    ):
        recorder.judge(
            "ledger_row",
            "source_ledger",
            book.assign(left=left, right=right),
            (left == right).to_numpy(dtype=bool),
            key=tuple(KEYS),
            value="left",
            limit="right",
            message="{source} {purpose} {district} does not foot in {year}: {value} yuan stand against {limit}",
        )


def _totals(case: Case, book: pd.DataFrame, recorder: Recorder) -> None:
    """The rows of a source and year sum to its line in the table of sources, with what is spoken for."""
    sources = case.tables["sources"]
    taken = {name: spoken_for_yuan(rule, len(case.years)) for name, rule in case.scenario["sources"].items()}
    committed = [taken[s][y - case.years[0]] for s, y in zip(sources["source"], sources["year"], strict=True)]
    due = sources.assign(committed_yuan=committed, new_yuan=sources["amount_yuan"] + committed)
    columns = ["carried_in_yuan", "new_yuan", "committed_yuan", "spent_yuan", "carried_out_yuan", "lapsed_yuan"]
    said = book.groupby(["source", "year"])[columns].sum()
    said = said.reindex(pd.MultiIndex.from_frame(due[["source", "year"]])).fillna(0).astype(np.int64)
    for column in columns:
        frame = due[["source", "year"]].assign(column=column, said=said[column].to_numpy(), due=due[column].to_numpy())
        recorder.judge(
            "ledger_total",
            "source_ledger",
            frame,
            (frame["said"] == frame["due"]).to_numpy(dtype=bool),
            key=("source", "year", "column"),
            value="said",
            limit="due",
            message="the rows of {source} in {year} sum to {column} = {value}; it is {limit}",
        )


def _figures(case: Case, book: pd.DataFrame, recorder: Recorder) -> None:
    """What is spent, matched and committed in every row, from the payments; money carried in is spent first."""
    payments = case.tables["ledger"]
    spent = payments.groupby(KEYS)["yuan"].sum()
    wanted = pd.MultiIndex.from_frame(
        pd.concat([spent.index.to_frame(index=False), case.tables["sources"].assign(purpose="", district="")[KEYS]])
    )
    there = pd.MultiIndex.from_frame(book[KEYS])
    frame = pd.DataFrame(wanted.union(there, sort=False).to_list(), columns=KEYS).sort_values(KEYS, ignore_index=True)
    index = pd.MultiIndex.from_frame(frame)
    recorder.judge(
        "ledger_figure",
        "source_ledger",
        frame,
        np.asarray(index.isin(there) & index.isin(wanted)),
        key=tuple(KEYS),
        value="",
        limit="",
        message="the row of {source} {purpose} {district} in {year} is missing, or nothing is paid there",
    )
    frame["spent"] = spent.reindex(index).fillna(0).to_numpy(dtype=np.int64)
    before = frame.groupby(["source", "year"])["spent"].cumsum() - frame["spent"]
    # The row without purpose stands first in the order, and takes what the others leave.
    carried = case.tables["sources"].set_index(["source", "year"])["carried_in_yuan"]
    of_year = pd.MultiIndex.from_frame(frame[["source", "year"]])
    has = pd.Series(carried.reindex(of_year).fillna(0).to_numpy(dtype=np.int64))
    old = (has - before).clip(lower=0).clip(upper=frame["spent"])
    rest = has - old.groupby([frame["source"], frame["year"]]).transform("sum")
    frame["old"] = old.where(frame["purpose"] != "", rest)
    frame["matched"] = _matched(case, frame, spent)
    frame["later"] = _later(case, frame)
    said = book.set_index(KEYS).reindex(index)
    for column, due in (
        ("spent_yuan", "spent"),
        ("carried_in_yuan", "old"),
        ("matched_yuan", "matched"),
        ("committed_later_yuan", "later"),
    ):
        value = said[column].fillna(frame[due].set_axis(index)).to_numpy(dtype=np.int64)
        recorder.judge(
            "ledger_figure",
            "source_ledger",
            frame.assign(said=value, column=column),
            value == frame[due].to_numpy(dtype=np.int64),
            key=tuple(KEYS),
            value="said",
            limit=due,
            message="{source} {purpose} {district} in {year}: {column} is {value}; by the payments it is {limit}",
        )


def _matched(case: Case, frame: pd.DataFrame, spent: "pd.Series[int]") -> "list[int]":
    """What the payers of co-funding pay for the same purpose in the same district and year."""
    rules, sources = case.scenario["co_funding"], case.scenario["sources"]
    found = []
    for source, year, purpose, district in frame[KEYS].itertuples(index=False):
        by = {
            name
            for rule in rules
            if rule["of"] == source and rule["purpose"] == purpose
            for name, other in sources.items()
            if (other["role"] == "district" if rule.get("payer", "district") == "district" else name == rule["payer"])
        }
        found.append(int(sum(spent.get((name, year, purpose, district), 0) for name in by - {source})))
    return found


def _later(case: Case, frame: pd.DataFrame) -> "list[int]":
    """Later payments for stations that run already; in the row without purpose what is spoken for later."""
    running = case.tables["ledger"]
    running = running[running["purpose"] == "service_running"]
    since = running.groupby(["service", "site", "community"])["year"].transform("min")
    running = running.assign(since=since)
    by_place = dict(list(running.groupby(["source", "district"])))
    found = []
    for source, year, purpose, district in frame[KEYS].itertuples(index=False):
        if purpose == "":
            taken = spoken_for_yuan(case.scenario["sources"][source], len(case.years))
            found.append(sum(taken[year - case.years[0] + 1 :]))
            continue
        mine = by_place.get((source, district)) if purpose == "service_running" else None
        if mine is None:
            found.append(0)
        else:
            found.append(int(mine.loc[(mine["since"] <= year) & (mine["year"] > year), "yuan"].sum()))
    return found
