"""What a scenario may say: its keys, units, defaults and limits (no file is read here).

A scenario is one YAML document; `optimizer.scenario_file` reads it, merges what it extends and
reports mistakes with their line. Equation numbers refer to `docs/mathematics.md`.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from geodata.street_words import DETOUR, DRIVING_KMH, MOST_KMH, SNAP_LIMIT_M, WALKING_KMH
from optimizer.scenario_base import Key, Part, Share
from optimizer.scenario_fairness import Fairness, fairness_contradictions
from optimizer.scenario_funds import DebtRelief, WorkFunds
from optimizer.scenario_money import CoFunding, RunningCommitment, Source, money_contradictions
from optimizer.scenario_services import OneStop, Service

ProgrammeName = Literal["work_funds", "space", "services", "debt_relief"]
Instrument = Literal["build", "renovate", "rent", "swap", "hand_over", "share"]
INSTRUMENTS: tuple[Instrument, ...] = ("build", "renovate", "rent", "swap", "hand_over", "share")
GoalName = Literal["worst_off", "unmet_need", "travel", "spending", "weighted"]
RULE_TITLES = {
    "per_capita": "the same for every resident",
    "equal": "the same for every community",
    "last_year_plus": "last year's money and a little more",
    "greedy_by_need": "the largest unmet need first",
}


class Layer(Part):
    """Where one table is and what its columns are called there."""

    path: str = Field("", description="File of this table; the data's own path where empty.")
    layer: str = Field("", description="Layer in the file; the table's name, or the only layer, where empty.")
    encoding: str = Field("", description="Text encoding, for example GBK for an old Shapefile.")
    crs: str = Field("", description="Coordinate system where the file does not say, or says it wrongly.")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Our column name -> the name in the file; `id` may be the row number `#`."
    )
    values: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Column -> word in the file -> our word."
    )


class Data(Part):
    """Where the city's tables are."""

    path: str = Field("mianyang", description="GeoPackage, folder, or the name of a reference city that ships.")
    crs: str = Field("", description="Coordinate system of all layers that do not say; GCJ-02 may be declared.")
    metric_crs: str = Field("", description="Metric system to plan in; the local UTM zone where empty.")
    layers: dict[str, Layer] = Field(default_factory=dict, description="Table -> where it is.")


class Horizon(Part):
    """The years planned for."""

    first_year: int = Field(ge=1900, le=2200)
    years: int = Field(ge=1, le=30, description="Number of years.")
    price_growth: float = Field(0.0, ge=-0.2, le=0.5, description="Yearly growth of all costs and floors.")
    discount: float = Field(0.0, ge=0, le=0.5, description="Yearly discount of later years in the goals.")


class Currency(Part):
    """Money of the scenario; `yuan` in column names means one unit of it."""

    code: str = Field("CNY", min_length=3, max_length=3)
    name: str = "yuan"
    unit_yuan: Literal[1, 100, 1000] = Field(
        1,
        description="Entitlements, grants and their payments are multiples of it; costs of rooms and stations stay as "
        "they are.",
    )


class Travel(Part):
    """How people travel over the streets of the city."""

    walking_kmh: float = Field(WALKING_KMH, gt=0, le=MOST_KMH, description="Speed of walking.")
    driving_kmh: dict[str, Annotated[float, Field(ge=0, le=MOST_KMH)]] = Field(
        default_factory=lambda: dict(DRIVING_KMH),
        description="Class of street -> speed of driving where the street has none of its own; 0: closed to cars.",
    )
    detour: float = Field(
        DETOUR, ge=1, le=10, description="Travel where streets do not tell is the straight line times this."
    )
    snap_limit_m: float = Field(
        SNAP_LIMIT_M, ge=0, description="A place farther from every street is reached by straight line."
    )

    @field_validator("driving_kmh", mode="before")
    @classmethod
    def _with_defaults(cls, given: object) -> object:
        return {**DRIVING_KMH, **given} if isinstance(given, dict) else given


class CommunityType(Part):
    """A type of community: its care supplement and its need weights."""

    title: str = ""
    care: float = Field(0.0, ge=0, le=5, description="Supplement to the work-fund floor, equation (3).")
    weights: dict[str, float] = Field(
        default_factory=dict, description="Need -> weight in score and goals, equation (2); 1 where not named."
    )


class Range(Part):
    """Limits of one quantity, both inclusive."""

    at_least: float | None = None
    at_most: float | None = None


class GuidanceRule(Part):
    """Class of guidance of the communities that meet every condition; the first rule that fits decides."""

    title: str = ""
    when: dict[str, Range] = Field(
        default_factory=dict,
        description="Column of communities, or office_area_m2, own_income_yuan_per_person -> range. Empty: fits all.",
    )
    types: list[str] = Field(default_factory=list, description="Only these types; all where empty.")
    purposes: list[ProgrammeName] = Field(
        description="Programmes that may support the class; needs of the others are its own affair."
    )
    reason: str = Field("", description="Sentence for the report.")


class Deposit(Part):
    """What developers who hand over rooms leave with the city until they do, equation (7)."""

    yuan_per_m2: float = Field(gt=0, le=1e6, description="By the floor of the whole project (project_m2 of sites).")


class Space(Part):
    """Programme of office and service space, equations (5) to (7)."""

    target_m2: float = Field(300.0, ge=0, le=100_000, description="Target per community.")
    m2_per_100_households: float | None = Field(
        None, ge=0, le=10_000, description="Norm by households instead of the one target."
    )
    instruments: list[Instrument] = Field(
        default_factory=lambda: list(INSTRUMENTS),
        description="Instruments allowed.",
    )
    deposit: Deposit | None = Field(None, description="Deposit of developers who hand over rooms; none where empty.")
    land_fee_share: Share = Field(
        1.0, description="Part of the price of land that is paid for new buildings; 0: the fee is waived."
    )
    hall_limit_m: float = Field(1500.0, ge=0, description="Farthest hall a community may share.")
    hall_full_hours: float = Field(40.0, gt=0, le=168, description="Weekly hours that count as a room of one's own.")
    hall_share_of_target: Share = Field(0.3, description="Largest part of the target that shared halls may meet.")


class Programmes(Part):
    """All programmes."""

    work_funds: WorkFunds
    space: Space = Field(default_factory=Space)
    one_stop: OneStop = Field(default_factory=OneStop)
    debt_relief: DebtRelief | None = None
    services: dict[Key, Service] = Field(min_length=1)


class Goal(Part):
    """One goal; it is kept within `tolerance` (relative) while the next is optimised."""

    goal: GoalName
    tolerance: float = Field(0.001, ge=0, le=1)
    gap: float = Field(0.01, ge=0, le=1, description="Relative gap at which the search for this goal stops.")
    leximin: bool = Field(
        False, description="worst_off: when the worst-off is as well off as can be, the next, and so on to the last."
    )
    leximin_step: float = Field(0.005, ge=0.0001, le=0.1, description="Scores that differ by less count as equal.")
    weights: dict[Literal["unmet_need", "travel", "spending"], Annotated[float, Field(ge=0, le=1e9)]] = Field(
        default_factory=dict,
        description="weighted: points per person-need, per person-metre and per yuan; their sum is made small.",
    )

    @model_validator(mode="after")
    def _belong(self) -> Self:
        if self.leximin and self.goal != "worst_off":
            raise ValueError("leximin belongs to the goal worst_off")
        if bool(self.weights) != (self.goal == "weighted"):
            raise ValueError("weights belong to the goal weighted, and it needs some")
        if self.weights and not any(self.weights.values()):
            raise ValueError("all weights are 0; give at least one above it")
        return self


class Rule(Part):
    """A plan made by a rule people use, not by a search: same needs, sources, limits and audit, nothing optimised."""

    split: Literal["per_capita", "equal", "last_year_plus", "greedy_by_need"] = Field(
        description="per_capita, equal: every source's money by residents, or the same for every community; "
        "last_year_plus: what a community had last year and `growth`; greedy_by_need: one purse, the largest unmet "
        "need first.",
    )
    growth: float = Field(0.05, ge=-0.5, le=1, description="last_year_plus: more each year than the year before.")
    last_year_yuan: float | None = Field(
        None,
        ge=0,
        le=1e9,
        description="last_year_plus: what a community had last year where its column last_year_yuan is empty.",
    )


class Solver(Part):
    """How the search is run; none of it changes what is a valid plan."""

    method: Literal["auto", "whole", "prices"] = "auto"
    threads: int = Field(2, ge=1, le=256)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    time_limit_seconds: float = Field(
        900.0, gt=0, description="Safety net for the whole run; a frontier has as much for each point asked for."
    )


def _goals() -> list[Goal]:
    return [
        Goal(goal="worst_off", tolerance=0.05, gap=0.015),
        Goal(goal="unmet_need", tolerance=0.001, gap=0.01),
        Goal(goal="travel", tolerance=0.001, gap=0.01),
        Goal(goal="spending", tolerance=0.0, gap=0.01),
    ]


class Scenario(Part):
    """A whole scenario, every default filled in."""

    name: Key
    title: str = ""
    description: str = ""
    data: Data = Field(default_factory=Data)
    horizon: Horizon
    currency: Currency = Field(default_factory=Currency)
    travel: Travel = Field(default_factory=Travel)
    types: dict[Key, CommunityType] = Field(min_length=1)
    guidance: dict[Key, GuidanceRule] = Field(min_length=1, description="Class -> rule, in order of precedence.")
    programmes: Programmes
    sources: dict[Key, Source] = Field(min_length=1)
    co_funding: list[CoFunding] = Field(default_factory=list)
    running_commitment: RunningCommitment | None = None
    goals: list[Goal] = Field(
        default_factory=_goals,
        description="One after another: worst_off, then unmet_need or weighted, then travel and spending; any may be "
        "left out.",
    )
    fairness: Fairness | None = None
    rule: Rule | None = Field(None, description="Make the plan by this rule instead of searching the best one.")
    solver: Solver = Field(default_factory=Solver)

    @property
    def years(self) -> list[int]:
        """Calendar years of the horizon."""
        return [self.horizon.first_year + t for t in range(self.horizon.years)]

    @property
    def services(self) -> dict[str, Service]:
        """Services by name."""
        return self.programmes.services

    def amounts_yuan(self, source: str) -> list[int]:
        """New money of a source per year in whole yuan, scaled."""
        return self.sources[source].new_yuan(self.horizon.years)

    def free_yuan(self, source: str) -> list[int]:
        """New money of a source per year in whole yuan less what earlier decisions have spoken for, equation (24)."""
        spoken = self.sources[source].spoken_for_yuan(self.horizon.years)
        return [new - taken for new, taken in zip(self.amounts_yuan(source), spoken, strict=True)]

    def staying_power(self, source: str) -> float:
        """Least of a recurring source's money, in prices of the last year, that there is then and after, equation (23).

        As a share of its money of the last year: 1 unless prices grow faster than the source.
        """
        rule, after = self.sources[source], self.running_commitment.years_after if self.running_commitment else 0
        growth = 0.0 if isinstance(rule.amount_yuan, list) else rule.growth
        return float(min(1.0, ((1 + growth) / (1 + self.horizon.price_growth)) ** after))

    def price_index(self) -> list[float]:
        """Price index per year, 1 in the first."""
        return [(1 + self.horizon.price_growth) ** t for t in range(self.horizon.years)]

    def year_weights(self) -> list[float]:
        """Weight of each year in the goals; they sum to 1."""
        raw = [(1 + self.horizon.discount) ** -t for t in range(self.horizon.years)]
        return [w / sum(raw) for w in raw]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = _contradictions(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _contradictions(scenario: Scenario) -> list[str]:
    """Return every contradiction between parts, each as `dotted.path: message`."""
    found = [text for name, kind in scenario.types.items() for text in _of_type(scenario, name, kind)]
    found += money_contradictions(scenario)
    found += _of_debt_relief(scenario)
    found += _of_guidance(scenario)
    order = [goal.goal for goal in scenario.goals]
    found += fairness_contradictions(
        scenario.fairness, scenario.types, scenario.guidance, order, by_rule=scenario.rule is not None
    )
    if len(set(order)) != len(order):
        found.append("goals: a goal is named twice")
    return found + list(_of_order(order))


def _of_order(order: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the order of the goals: no search keeps another one."""
    if "worst_off" in order[1:]:
        yield f"goals: worst_off comes after {order[0]}; name it first, as all others keep its level, or leave it out"
    main = [goal for goal in order if goal in ("unmet_need", "weighted")]
    early = [goal for goal in order[: order.index(main[0])] if goal in ("travel", "spending")] if main else []
    if early:
        yield (
            f"goals: {early[0]} comes before {main[0]}; name it after, as {early[0]} is least where nothing is met, "
            "or have both weighed in one goal (goal: weighted)"
        )


def _of_debt_relief(scenario: Scenario) -> Iterator[str]:
    may = [name for name, source in scenario.sources.items() if "debt_relief" in source.purposes]
    if scenario.programmes.debt_relief is None:
        for name in may:
            yield f"sources.{name}.purposes: names debt_relief, but programmes has none; add it or drop it"
    elif not may:
        yield "programmes.debt_relief: no source may pay for debt_relief; add it to the purposes of one"
    elif not any("debt_relief" in rule.purposes for rule in scenario.guidance.values()):
        yield "programmes.debt_relief: no class of guidance has debt_relief among its purposes; add it to one"
    if "debt_relief" in scenario.services:
        yield "programmes.services.debt_relief: a service may not be called like the programme; give it another name"


def _of_type(scenario: Scenario, name: str, kind: CommunityType) -> Iterator[str]:
    needs = {"work_funds", "space", *scenario.services, *(["debt_relief"] if scenario.programmes.debt_relief else [])}
    for need in kind.weights:
        if need not in needs:
            yield f"types.{name}.weights.{need}: there is no such need; needs are {', '.join(sorted(needs))}"
    for need, weight in kind.weights.items():
        if weight < 0:
            yield f"types.{name}.weights.{need}: weight {weight:g} is below 0"


def _of_guidance(scenario: Scenario) -> Iterator[str]:
    for name, guidance in scenario.guidance.items():
        for kind in guidance.types:
            if kind not in scenario.types:
                yield f"guidance.{name}.types: unknown type {kind!r}"
    name, last = list(scenario.guidance.items())[-1]
    if last.when or last.types:
        yield f"guidance.{name}: the last class must fit all (no when, no types)"
