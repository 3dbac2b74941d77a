"""Deposits that developers pay until the rooms of their projects are handed over, as a table."""

import numpy as np
import pandas as pd

from geodata.city import City
from optimizer.problem import Problem
from optimizer.solution import Decisions

COLUMNS = ["site", "community", "year", "paid_in_yuan", "paid_back_yuan", "held_yuan"]


def deposits_table(problem: Problem, city: City, decisions: Decisions) -> pd.DataFrame:
    """Return rows of `deposits.csv`: every year from a project's start until its deposit is paid back, equation (7).

    Paid in when rooms are first taken, by the floor of the whole project in prices of that year; paid back, the same
    amount, when the last of them are handed over.
    """
    rule = problem.scenario.programmes.space.deposit
    project = dict(zip(city.sites["site"], city.sites["project_m2"], strict=True))
    rooms, rows = problem.rooms, []
    for r in sorted(set(decisions.room.tolist()), key=lambda r: rooms.site[r]):
        if rule is None or rooms.instrument[r] != "hand_over" or project[rooms.site[r]] <= 0:
            continue
        taken = decisions.room_year[decisions.room == r]
        first, back = int(taken.min()), int(taken.max() + rooms.lead[r])
        yuan = int(np.floor(problem.price_index[first] * rule.yuan_per_m2 * project[rooms.site[r]] + 0.5))
        for t in range(first, back + 1):
            moves = (yuan if t == first else 0, yuan if t == back else 0, 0 if t == back else yuan)
            rows.append((rooms.site[r], problem.communities[rooms.community[r]], problem.years[t], *moves))
    return pd.DataFrame(rows, columns=COLUMNS)
