"""Which communities a comparison finds to gain or lose, and why mainly."""

from typing import Any

from optimizer.compare_side import Side
from optimizer.words import need_title, signed

Row = list[Any]


def community_rows(base: Side, side: Side) -> list[Row]:
    """Return a row per community of one plan: its score, the difference to the base, whether proven, and why mainly."""
    noise = (base.slack("unmet_need") + side.slack("unmet_need")) / max(float(base.met["heft"].sum()), 1e-9)
    reasons = _reasons(base, side) if side is not base else {}
    rows: list[Row] = []
    for community, place in base.facts.rows.items():
        score, before = float(side.scores[community]), float(base.scores[community])
        head = [community, place["label"], place["district"], place["type"], side.label, score]
        if side is base or score != score or before != before:
            rows.append([*head, None, "", ""])
            continue
        difference = score - before
        proven = "yes" if abs(difference) > noise else "no"
        reason = reasons.get(community, "") if abs(difference) >= 5e-4 else ""
        rows.append([*head, difference, proven, reason])
    return rows


def _reasons(base: Side, side: Side) -> dict[str, str]:
    """Return the need that changes a community's score most, in words, with the station it loses or gains."""
    frame = base.met[["community", "need", "beta", "weight"]].copy()
    frame["shift"] = frame["beta"] * (side.met["share"].to_numpy() - base.met["share"].to_numpy())
    frame["part"] = frame["weight"] * frame["shift"]
    sums = frame.groupby(["community", "need"], as_index=False)[["part", "shift", "beta"]].sum()
    overall = side.scores - base.scores
    lost, gained = _stations_lost(base, side), _stations_lost(side, base)
    reasons = {}
    for community, part in sums.groupby("community", sort=False):
        direction = float(overall.get(str(community), 0.0))
        values = part["part"].to_numpy() * (1 if direction >= 0 else -1)
        best = int(values.argmax())
        if values[best] <= 1e-9:
            continue
        need = str(part["need"].iloc[best])
        shift = float(part["shift"].iloc[best]) / float(part["beta"].iloc[best])
        title = need_title(base.run.scenario, need).lower()
        key = (str(community), need)
        if direction < 0 and key in lost:
            reasons[str(community)] = f"loses its station for {title}"
        elif direction > 0 and key in gained:
            reasons[str(community)] = f"gains a station for {title}"
        else:
            reasons[str(community)] = f"{title} {signed(shift)}"
    return reasons


def _stations_lost(here: Side, there: Side) -> set[tuple[str, str]]:
    """Return (community, service) whose main station of the last year in one plan is not open in the other."""
    frame = here.run.assignments
    frame = frame[(frame["year"] == here.facts.last) & (frame["amount"] > 0)]
    main = frame.sort_values("amount", ascending=False, kind="stable").drop_duplicates(["community", "service"])
    opened = there.facts.open_stations(there.facts.last)
    places = set(zip(opened["site"], opened["service"], strict=True))
    return {
        (str(r.community), str(r.service)) for r in main.itertuples(index=False) if (r.site, r.service) not in places
    }
