"""Levels of networks as their tables have them: what hangs on what, and what is referred, beside the inputs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder, reason
from optimizer.audit.stations import KEY

UNIT = KEY
LEVELS = (*UNIT, "centre", "travel_m", "hangs_on", "hangs_on_level", "since")
REFERRALS = (*UNIT, "year", "served", "referred_in", "referred_on")


@dataclass(frozen=True)
class Levels:
    """Rules of services with levels, and the tables `levels` (since: 0 where empty) and `referrals`."""

    rules: dict[str, dict[str, Any]]
    hangs: pd.DataFrame
    referrals: pd.DataFrame

    @property
    def of_outlets(self) -> dict[str, bool]:
        """By service: whether its outlets hang on something."""
        return {name: rule.get("outlets") is not None for name, rule in self.rules.items()}

    @property
    def inclusive(self) -> dict[str, bool]:
        """By service: whether its centres serve communities themselves."""
        return {name: bool(rule["inclusive"]) for name, rule in self.rules.items()}

    def limit_m(self, service: str, level: str) -> float:
        """Return how far away what a unit hangs on may be; nothing where it hangs on nothing."""
        return self._of(service, level, "limit_m")

    def share(self, service: str, level: str) -> float:
        """Return the share that a unit refers; nothing where it hangs on nothing."""
        return self._of(service, level, "referral_share")

    def _of(self, service: str, level: str, name: str) -> float:
        rule = self.rules.get(service) or {}
        part = {"station": rule, "outlet": rule.get("outlets")}.get(level) or {}
        return float(part.get(name, 0.0))

    @property
    def begins(self) -> set[tuple[str, str, int]]:
        """Sites, services and years in which something there begins to hang."""
        return set(self.hangs[["site", "service", "since"]].itertuples(index=False, name=None))

    def at_peak(self, case: Case) -> pd.DataFrame:
        """Rows of `referrals` with the amounts there would be at the largest need of the horizon."""
        frame, need = self.referrals, case.needs.reset_index()
        need = need[need["need_amount"] > 0].drop_duplicates(["need", "year"]).set_index(["need", "year"])
        factor = (need["peak"] / need["need_amount"]).reindex(pd.MultiIndex.from_frame(frame[["service", "year"]]))
        part = factor.fillna(1.0).to_numpy(dtype=float)
        return frame.assign(**{name: frame[name] * part for name in REFERRALS[4:]})

    def kept_for(self, case: Case) -> "pd.Series[float]":
        """By site and service: sum of the most that each unit which hangs there refers in any year, at the peak."""
        most = self.at_peak(case).groupby(UNIT)["referred_on"].max().rename("most").reset_index()
        hung = self.hangs[[*UNIT, "hangs_on"]].merge(most, on=UNIT)
        return hung.groupby(["hangs_on", "service"])["most"].sum()


def read_levels(case: Case, recorder: Recorder) -> Levels | None:
    """Read both tables; None where no service has levels, or (with a finding) where a table cannot be read."""
    rules = {name: rule["hierarchy"] for name, rule in case.services.items() if rule.get("hierarchy")}
    if not rules:
        return None
    frames = []
    for name, columns in (("levels", LEVELS), ("referrals", REFERRALS)):
        try:
            frame = pd.read_csv(
                case.folder / "tables" / f"{name}.csv", dtype=str, keep_default_na=False, encoding="utf-8"
            )[list(columns)]
            frames.append(frame.astype(dict.fromkeys({"travel_m", *REFERRALS[4:]} & set(columns), float)))
            year = "since" if name == "levels" else "year"
            frames[-1][year] = frames[-1][year].replace("", "0").astype(int)
        except (OSError, ValueError, KeyError) as error:
            recorder.find("files", f"the table cannot be read: {reason(error)}", table=name)
            return None
    for name, frame, keys in (("levels", frames[0], UNIT), ("referrals", frames[1], [*UNIT, "year"])):
        twice = frame[frame.duplicated(keys)]
        recorder.judge(
            "keys", name, twice, np.zeros(len(twice), dtype=bool), key=tuple(keys), value="site", limit="",
            message="the row stands twice",
        )  # fmt: skip
    return Levels(rules, frames[0].drop_duplicates(UNIT), frames[1].drop_duplicates([*UNIT, "year"]))


def lasting(case: Case) -> pd.DataFrame:
    """Existing facilities with a capacity that do not have to close (site, service, level, community)."""
    old = case.existing.reset_index()
    leased = (old["lease_until"] > 0) & (old["lease_until"] < case.years[-1]) & (old["must"] != "keep")
    ends = (leased | (old["must"] == "close")) & (len(case.years) > 1)
    return old[(old["capacity"] > 0) & ~ends]
