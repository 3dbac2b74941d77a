"""The ledger of sources: a plan counted by hand, and what holds for any payments."""

import pandas as pd
from hypothesis import HealthCheck, Phase, given, settings

from optimizer.ledger import MoneyShortError, keep_books
from optimizer.plan_tables import Item
from optimizer.source_ledger import source_ledger
from tests.optimizer.test_ledger import BIG, costs
from tests.optimizer.tiny import make_scenario

few = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)


def test_a_ledger_counted_by_hand() -> None:
    # The city has 1,000 a year, of which 100 and 300 are spoken for; 150 of the first year are carried on.
    scenario = make_scenario(
        horizon={"years": 2},
        sources={
            "city": {"role": "city", "amount_yuan": 1000, "committed_yuan": [100, 300], "carry_limit_yuan": 150},
            "east": {"role": "district", "districts": ["east"], "amount_yuan": 500},
        },
        co_funding=[{"of": "city", "ratio": 0.5}],
    )
    payment = ["source", "purpose", "district", "community", "year", "yuan", "service", "site"]
    ledger = pd.DataFrame(
        [
            ("city", "work_funds", "east", "a", 2020, 300, "", ""),
            ("east", "work_funds", "east", "a", 2020, 170, "", ""),
            ("city", "service_running", "east", "a", 2020, 200, "desk", "o_a"),
            ("city", "service_running", "east", "a", 2021, 210, "desk", "o_a"),
            ("city", "service_running", "west", "b", 2021, 90, "desk", "o_b"),
            ("city", "work_funds", "east", "a", 2021, 400, "", ""),
        ],
        columns=payment,
    )
    columns = ["source", "year", "amount_yuan", "carried_in_yuan", "spent_yuan", "carried_out_yuan", "lapsed_yuan"]
    sources = pd.DataFrame(
        [
            ("city", 2020, 900, 0, 500, 150, 250),
            ("city", 2021, 700, 150, 700, 0, 150),
            ("east", 2020, 500, 0, 170, 0, 330),
            ("east", 2021, 500, 0, 0, 0, 500),
        ],
        columns=columns,
    )
    book = source_ledger(scenario, ledger, sources)
    assert [tuple(row) for row in book.to_numpy().tolist()] == [
        # carried in, new, opening, spoken for, spent, closing, carried out, lapsed; matched, committed later
        ("city", 2020, "", "", 0, 500, 500, 100, 0, 400, 150, 250, 0, 300),
        ("city", 2020, "service_running", "east", 0, 200, 200, 0, 200, 0, 0, 0, 0, 210),
        ("city", 2020, "work_funds", "east", 0, 300, 300, 0, 300, 0, 0, 0, 170, 0),
        ("city", 2021, "", "", 0, 450, 450, 300, 0, 150, 0, 150, 0, 0),
        ("city", 2021, "service_running", "east", 150, 60, 210, 0, 210, 0, 0, 0, 0, 0),
        ("city", 2021, "service_running", "west", 0, 90, 90, 0, 90, 0, 0, 0, 0, 0),
        ("city", 2021, "work_funds", "east", 0, 400, 400, 0, 400, 0, 0, 0, 0, 0),
        ("east", 2020, "", "", 0, 330, 330, 0, 0, 330, 0, 330, 0, 0),
        ("east", 2020, "work_funds", "east", 0, 170, 170, 0, 170, 0, 0, 0, 0, 0),
        ("east", 2021, "", "", 0, 500, 500, 0, 0, 500, 0, 500, 0, 0),
    ]


@few
@given(costs())
def test_every_row_and_every_total_foots(items: list[Item]) -> None:
    try:
        books = keep_books(BIG, items)
    except MoneyShortError:
        return
    book = source_ledger(BIG.scenario, books.ledger, books.sources)
    assert (book["carried_in_yuan"] + book["new_yuan"] == book["opening_yuan"]).all()
    assert (book["opening_yuan"] - book["committed_yuan"] - book["spent_yuan"] == book["closing_yuan"]).all()
    assert (book["carried_out_yuan"] + book["lapsed_yuan"] == book["closing_yuan"]).all()
    assert (book.filter(like="yuan") >= 0).all(axis=None)
    columns = ["carried_in_yuan", "spent_yuan", "carried_out_yuan", "lapsed_yuan"]
    totals = book.groupby(["source", "year"])[columns].sum()
    assert totals.equals(books.sources.set_index(["source", "year"])[columns].sort_index())
    assert book["spent_yuan"].sum() == books.ledger["yuan"].sum()
