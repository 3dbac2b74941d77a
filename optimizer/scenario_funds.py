"""What a scenario may say about work funds and debt relief, equations (3), (4) and (26)."""

from typing import Self

from pydantic import Field, model_validator

from optimizer.scenario_base import Part, Share, Yuan


class CareIndicator(Part):
    """What hardship shows in, equation (3): a level from 0 to 1 times a weight is added to the care of a community."""

    column: str = Field(description="Column of communities, or office_area_m2, own_income_yuan_per_person.")
    per: str = Field("", description="Column it is divided by, for example population (at least 1).")
    none_at: float = Field(0.0, description="Value at which the level is 0.")
    full_at: float = Field(description="Value at which the level is 1; it may be the smaller of the two.")
    weight: float = Field(ge=0, le=5, description="Supplement to the floor at level 1.")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.none_at == self.full_at:
            raise ValueError(
                f"full_at = {self.full_at:g} is the same as none_at; give the values of level 0 and level 1"
            )
        return self


class OwnIncome(Part):
    """How far a community's own income stands in for work funds, equation (3).

    Counted is `share` of what is left of its own income after it has served its debt and kept what is free.
    """

    share: Share = Field(description="Share of the income that counts.")
    free_yuan: Yuan = Field(0.0, description="Own income a year that never counts.")
    debt_service_share: Share = Field(
        0.0, description="Share of its debt that it pays out of its own income each year."
    )


class WorkFunds(Part):
    """Programme of work funds, equations (3) and (4)."""

    floor_yuan: float = Field(ge=0, le=1e7, description="Entitlement per community and year before care.")
    ceiling_yuan: float | None = Field(None, ge=0, le=1e8, description="Largest grant before price growth.")
    care_hardship: float = Field(0.0, ge=0, le=5, description="Supplement at hardship 1.")
    care_indicators: list[CareIndicator] = Field(
        default_factory=list, description="Indicators of hardship and their weights, beside or instead of `hardship`."
    )
    own_income: OwnIncome | None = Field(None, description="Own income, less debt service, that stands in for money.")
    hard_floor: bool = Field(False, description="Every community gets its entitlement, or there is no plan.")

    @model_validator(mode="after")
    def _ceiling(self) -> Self:
        if self.ceiling_yuan is not None and self.ceiling_yuan < self.floor_yuan:
            raise ValueError(
                f"ceiling_yuan = {self.ceiling_yuan:g} is below floor_yuan = {self.floor_yuan:g}; raise it or lower "
                "the floor"
            )
        return self


class DebtRelief(Part):
    """Programme of debt relief, equation (26): money that pays off debts of the communities whose class has it."""

    share: Share = Field(1.0, description="Part of a debt that may be paid off.")
    min_debt_yuan: Yuan = Field(0.0, description="Smaller debts are the community's own affair.")
