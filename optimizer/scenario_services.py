"""What a scenario may say about services, their stations and the buildings these share, equations (8) to (13)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from optimizer.scenario_base import Part, Share, Yuan

NeedGroup = Literal["population", "households", "elderly", "children", "migrants", "laid_off", "min_income_households"]


class NeedNorm(Part):
    """Norm by which a need is estimated where the data has none: amount = rate x people of a group."""

    per: NeedGroup = "population"
    rate: float = Field(1.0, ge=0, description="Units a year per person (or household) of the group.")


class Centre(Part):
    """New centres that may open in station buildings, equation (13); what is empty is as for a station."""

    fixed_yuan: Yuan | None = Field(None, description="Paid once for opening a centre.")
    capital_yuan_per_unit: Yuan | None = Field(None, description="Paid once per unit of its capacity.")
    running_yuan: Yuan | None = Field(None, description="Per centre and year.")
    running_yuan_per_unit: Yuan | None = Field(None, description="Per unit of its capacity and year.")
    area_m2_per_unit: float | None = Field(None, ge=0, description="Floor area per unit of its capacity.")
    min_capacity: float | None = Field(None, ge=0, description="Smallest capacity, units a year, referrals included.")
    max_capacity: float | None = Field(None, gt=0, description="Largest capacity, units a year, referrals included.")


class Outlets(Part):
    """Outlets of a service with levels, equation (13): they hang on stations, and centres that serve as such."""

    limit_m: float = Field(gt=0, description="Farthest station an outlet may hang on, inclusive.")
    referral_share: Share = Field(0.1, description="Share of what an outlet serves that goes on to its station.")


class Hierarchy(Part):
    """Levels of a network, equation (13): stations hang on centres and refer a share of cases to them."""

    limit_m: float = Field(gt=0, description="Farthest centre a station may hang on, inclusive.")
    referral_share: Share = Field(0.1, description="Share of what a station serves that goes on to its centre.")
    inclusive: bool = Field(True, description="Whether a centre also serves communities as a station does.")
    within: Literal["sub_district", "district", "city"] | None = Field(
        None, description="A station hangs on a centre of the same area; that of the service where empty."
    )
    centre: Centre | None = Field(
        None,
        description="What new centres cost; then every station hangs on whichever of the candidates nearest, new or "
        "existing, the plan chooses. Where empty, none opens, and a station hangs on the nearest existing one.",
    )
    outlets: Outlets | None = Field(
        None,
        description="Outlets hang on a station, or an inclusive centre, in the same way, whichever of the candidates "
        "nearest the plan chooses; those of own services at the office of their community. They hang on nothing where "
        "empty.",
    )


class Closing(Part):
    """What happens to existing shared stations that close, equation (10)."""

    freely: bool = Field(
        True, description="Any may close; false: only those whose lease ends or that must close (table facilities)."
    )
    yuan: Yuan = Field(0.0, description="Paid once for closing a station.")
    moving_yuan: Yuan | None = Field(
        None,
        description="Paid instead of fixed_yuan by a station that opens with what one closing in its sub-district "
        "leaves; no station moves where empty.",
    )
    longest_gap_years: int | None = Field(
        0,
        ge=0,
        le=30,
        description="Who is served by a station that closes is served as much again after so many years; null: "
        "nobody sees to it.",
    )


class Upgrade(Part):
    """Existing shared stations that are enlarged where they stand, equation (9)."""

    fixed_yuan: Yuan = Field(0.0, description="Paid once for upgrading a station.")
    most_capacity_share: float | None = Field(
        None,
        gt=0,
        le=100,
        description="Largest new capacity, as a share of what the station has; what its floor to spare (spare_m2 of "
        "facilities) gives room for where empty.",
    )


class Service(Part):
    """One service, equations (8) to (12). Costs are in prices of the first year."""

    title: str = ""
    unit: str = Field("units a year", description="Unit of amounts and capacities.")
    siting: Literal["own", "network"] = Field(
        description="own: at each community's own office; network: stations shared by several communities."
    )
    travel: Literal["walking", "driving"] = Field("walking", description="How people get to its stations.")
    limit_m: float = Field(
        0.0, ge=0, description="Farthest travel, inclusive (network only); 0: none, where limit_minutes is given."
    )
    limit_minutes: float | None = Field(None, gt=0, le=1440, description="Longest travel, inclusive (network only).")
    within: Literal["sub_district", "district", "city"] = Field(
        "sub_district", description="A station serves communities of the same sub-district, district or city."
    )
    candidates: int = Field(
        8,
        ge=1,
        le=1000,
        description="Nearest sites considered per community, existing stations not counted; and nearest centres per "
        "station, existing and new ones each, where new ones may open.",
    )
    fixed_yuan: Yuan = Field(0.0, description="Paid once for opening or upgrading a station.")
    capital_yuan_per_unit: Yuan = Field(0.0, description="Paid once per unit of capacity.")
    running_yuan: Yuan = Field(0.0, description="Per station and year.")
    running_yuan_per_unit: Yuan = Field(0.0, description="Per unit of capacity and year.")
    area_m2_per_unit: float = Field(0.0, ge=0, description="Floor area per unit of capacity.")
    min_capacity: float = Field(0.0, ge=0, description="Smallest new capacity of a station, units a year.")
    max_capacity: float = Field(1e9, gt=0, description="Largest new capacity of a station, units a year.")
    growth: float = Field(0.0, ge=-0.2, le=0.5, description="Yearly growth of the need.")
    closing: Closing | None = Field(
        None, description="How existing stations close (network only); they stay where this is empty."
    )
    upgrade: Upgrade | None = Field(
        None,
        description="How existing stations are enlarged where they stand (network only); not where this is empty.",
    )
    need: NeedNorm = Field(default_factory=NeedNorm)
    hierarchy: Hierarchy | None = Field(None, description="Levels: stations hang on centres.")

    @model_validator(mode="after")
    def _capacities(self) -> Self:
        if self.min_capacity > self.max_capacity:
            raise ValueError(f"min_capacity = {self.min_capacity:g} is above max_capacity = {self.max_capacity:g}")
        if self.siting == "network" and self.limit_m <= 0 and self.limit_minutes is None:
            raise ValueError("limit_m must be above 0 for a network service; give the farthest travel in metres")
        if self.siting == "own" and self.closing is not None:
            raise ValueError("closing is for network services; stations at the communities' own offices stay")
        if self.siting == "own" and self.upgrade is not None:
            raise ValueError("upgrade is for network services; own stations grow as far as their office has room")
        if self.upgrade is not None and self.upgrade.most_capacity_share is None and self.area_m2_per_unit <= 0:
            raise ValueError(
                "upgrade needs most_capacity_share: with area_m2_per_unit = 0 the floor to spare sets no limit"
            )
        centre = self.of_centre
        if centre.min_capacity > centre.max_capacity:
            raise ValueError(
                f"hierarchy.centre: min_capacity = {centre.min_capacity:g} is above "
                f"max_capacity = {centre.max_capacity:g}"
            )
        levels = self.hierarchy
        serves = levels is None or levels.referral_share > 0 or (self.siting == "network" and levels.inclusive)
        if levels is not None and levels.centre is not None and not serves:
            raise ValueError(
                "hierarchy.referral_share = 0 leaves new centres nobody to serve; raise it or leave centre out"
            )
        if levels is not None and self.closing is not None and self.closing.longest_gap_years is not None:
            raise ValueError(
                "closing.longest_gap_years is not kept where stations hang on centres; make it null, or leave "
                "hierarchy out"
            )
        return self

    @property
    def of_centre(self) -> "Service":
        """The rule with the costs, floor and limits of new centres in place of those of stations."""
        own = None if self.hierarchy is None else self.hierarchy.centre
        said = {} if own is None else own.model_dump(exclude_none=True)
        return self.model_copy(update=said) if said else self


class OneStop(Part):
    """One-stop rule of station buildings, equation (11)."""

    min_services: int = Field(1, ge=1, le=50, description="Fewest services in a building that is taken.")
    counter_yuan: Yuan = Field(
        0.0, description="A counter, paid once with a building that is taken, whatever number of services share it."
    )
    counter_m2: float = Field(0.0, ge=0, le=10_000, description="Floor of that counter, once per building.")
