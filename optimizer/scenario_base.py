"""Words and limits that all parts of a scenario share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Purpose = Literal["work_funds", "space", "service_capital", "service_running", "debt_relief"]
PURPOSES: tuple[Purpose, ...] = ("work_funds", "space", "service_capital", "service_running", "debt_relief")
Yuan = Annotated[float, Field(ge=0, le=1e13)]
Share = Annotated[float, Field(ge=0, le=1)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Part(BaseModel):
    """Base of every part of a scenario: unknown keys are errors, values are not changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)
