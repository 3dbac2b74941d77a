"""What one-stop buildings save, recomputed from stations, rooms and inputs, equation (11)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case, near
from optimizer.audit.report import Recorder, reason
from optimizer.audit.rooms import Rooms, land_yuan
from optimizer.audit.stations import Stations

COLUMNS = ("site", "community", "services", "area_m2", "alone_m2", "cost_yuan", "alone_yuan", "saved_yuan")


def check_one_stop(case: Case, stations: Stations, rooms: Rooms, recorder: Recorder) -> None:
    """Check the table of one-stop buildings and its total in the record (where it has one, see `rules_record`)."""
    path = case.folder / "tables" / "one_stop.csv"
    try:
        said = pd.read_csv(path, dtype={"site": str, "community": str}, keep_default_na=False, encoding="utf-8")
        said = said[list(COLUMNS)].astype(dict.fromkeys(COLUMNS[2:], float))
    except (OSError, ValueError, KeyError) as error:
        recorder.find("files", f"the table cannot be read: {reason(error)}", table="one_stop")
        return
    due = _due(case, stations, rooms)
    both = due.merge(said, on="site", how="outer", suffixes=("_due", ""), indicator=True).reset_index(drop=True)
    there = ((both["_merge"] == "both") & ~both.duplicated("site", keep=False)).to_numpy(dtype=bool)
    both = both.fillna({c: 0.0 for c in both.columns if both[c].dtype.kind == "f"}).drop(columns="_merge")
    good = there & (both["community"] == both["community_due"]).to_numpy(dtype=bool)
    good &= (both["saved_yuan"] == both["alone_yuan"] - both["cost_yuan"]).to_numpy(dtype=bool)
    for column in ("services", "area_m2", "alone_m2", "cost_yuan"):
        good &= near(both[column], both[f"{column}_due"])
    good &= np.asarray(np.abs(both["alone_yuan"] - both["alone_yuan_due"]) <= both["slack"], dtype=bool)
    recorder.judge(
        "one_stop_saving",
        "one_stop",
        both,
        good,
        key=("site",),
        value="saved_yuan",
        limit="alone_yuan_due",
        message="{site} is said to hold {services} services, cost {cost_yuan} yuan and save {saved_yuan}; by stations "
        "and rooms it holds {services_due}, costs {cost_yuan_due}, and buildings of their own would cost {limit}",
    )
    total = {"buildings": len(said), "saved_yuan": int(said["saved_yuan"].sum())}
    recorder.checked("one_stop_saving", 1)
    if "one_stop" in case.record and case.record["one_stop"] != total:
        made = f"{total['buildings']} buildings that save {total['saved_yuan']} yuan"
        recorder.find("one_stop_saving", f"the record does not say {made}", table="run.json", row="one_stop")


def _due(case: Case, stations: Stations, rooms: Rooms) -> pd.DataFrame:
    """One row per building with several new services: what it costs, and what a building for each would."""
    rule = case.scenario["programmes"]["one_stop"]
    new = stations.new[stations.new["use"] == "station"].copy()
    place = case.places.reindex(new["site"])
    per_unit = case.of_level(new, "area_m2_per_unit")
    least = place["min_area_m2"].to_numpy(dtype=float)
    area = np.maximum(least, float(rule.get("counter_m2", 0.0)) + per_unit * new["new"].to_numpy(dtype=float))
    lead, start = place["lead_years"].to_numpy(dtype=int), new["start"].to_numpy(dtype=int)
    fixed = place["fixed_yuan"].to_numpy(dtype=float) + float(rule.get("counter_yuan", 0.0))
    fixed = fixed + land_yuan(case, new["site"])
    capital, yearly = (place[f"{kind}_yuan_per_m2"].to_numpy(dtype=float) for kind in ("capital", "yearly"))
    yuan, terms = np.zeros(len(new)), np.zeros(len(new))
    for year, price in case.price.items():
        once = np.where(start - lead == year, fixed + capital * area, 0.0)
        part = price * (once + np.where(start <= year, yearly * area, 0.0))
        yuan, terms = yuan + part, terms + (part > 0)
    new = new.assign(alone_m2=area, alone_yuan=yuan, slack=0.5 * terms + 1e-5 * (1 + capital + yearly))
    by_site = new.groupby("site")
    due = by_site[["alone_m2", "alone_yuan", "slack"]].sum().assign(services=by_site["service"].nunique().astype(float))
    due = due[due["services"] >= 2]
    built = rooms.rows[rooms.rows["site_use"] == "station"].groupby("site")
    due = due.assign(
        community=case.places["community"].reindex(due.index),
        area_m2=built["area_m2"].max().reindex(due.index),
        cost_yuan=built["cost_yuan"].sum().reindex(due.index).astype(float),
    )
    return due.reset_index()
