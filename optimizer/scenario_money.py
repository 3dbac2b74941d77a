"""What a scenario may say about money: sources, their rules, co-funding, running costs after the horizon.

Amounts, floors, ceilings, caps and commitments are yuan of the year they are given for: price growth raises costs, not
them. Equations (20) to (25), `docs/mathematics.md`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol, Self

from pydantic import Field, model_validator

from optimizer.scenario_base import Part, Purpose, Share, Yuan
from optimizer.scenario_floors import floor_contradictions

USUAL: tuple[Purpose, ...] = ("work_funds", "space", "service_capital", "service_running")
"""What a source may pay for that does not say; debts are paid off only where it does."""


class Limit(Part):
    """Floor and ceiling of what a source pays in every year for some purposes and places, equation (22)."""

    purposes: list[Purpose] = Field(default_factory=list, description="Purposes counted; all where empty.")
    districts: list[str] = Field(default_factory=list, description="Districts counted; all where empty.")
    communities: list[str] = Field(
        default_factory=list,
        description="Communities counted, by costs that belong to one community; all costs where empty.",
    )
    types: list[str] = Field(default_factory=list, description="Types counted, in the same way.")
    for_each: Literal["source", "district", "community"] = Field(
        "source", description="Whether it holds for all of it together, or for each district or community alone."
    )
    at_least_yuan: Yuan | None = Field(None, description="Floor.")
    at_most_yuan: Yuan | None = Field(None, description="Ceiling.")
    at_least_share: Share | None = Field(None, description="Floor as a share of the year's new money.")
    at_most_share: Share | None = Field(None, description="Ceiling as a share of the year's new money.")

    @property
    def by_community(self) -> bool:
        """Whether only costs that belong to one community count."""
        return bool(self.communities or self.types) or self.for_each == "community"

    def counts(self, community: str, kind: str) -> bool:
        """Whether the costs of a community count."""
        named = not self.communities and not self.types
        return named or community in self.communities or kind in self.types

    def range_yuan(self, new_yuan: float) -> tuple[float, float]:
        """Floor (0 where there is none) and ceiling (infinite) in a year with so much new money, in whole yuan."""
        low = max(self.at_least_yuan or 0.0, (self.at_least_share or 0.0) * new_yuan)
        high = min(
            float("inf") if self.at_most_yuan is None else self.at_most_yuan,
            float("inf") if self.at_most_share is None else self.at_most_share * new_yuan,
        )
        # A share that makes a whole amount must not lose a yuan to the last digit of a float.
        return float(-(-(low - 1e-6) // 1)), high if high == float("inf") else float((high + 1e-6) // 1)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        given = (self.at_least_yuan, self.at_most_yuan, self.at_least_share, self.at_most_share)
        if all(value is None for value in given):
            raise ValueError("gives no floor and no ceiling; give at_least_yuan, at_most_yuan or a share, or drop it")
        for low, high in (("at_least_yuan", "at_most_yuan"), ("at_least_share", "at_most_share")):
            a, b = getattr(self, low), getattr(self, high)
            if a is not None and b is not None and a > b:
                raise ValueError(f"{low} = {a:g} is above {high} = {b:g}; lower the floor or raise the ceiling")
        return self


class Source(Part):
    """Money of every year with rules on where, on what and when it may go, equations (20) to (25)."""

    title: str = ""
    role: Literal["city", "district", "donor", "lottery", "other"] = "other"
    amount_yuan: Yuan | list[Yuan] = Field(description="New money a year; one number, or one per year.")
    growth: float = Field(0.0, ge=-0.5, le=0.5, description="Yearly growth where amount_yuan is one number.")
    scale: float = Field(1.0, ge=0, le=100, description="Factor on all amounts; 0.9 cuts by a tenth.")
    committed_yuan: Yuan | list[Yuan] = Field(
        0.0,
        description="Part of a year's new money that earlier decisions have spoken for, equation (24); one number, or "
        "one per year. Shares of new money, here and below, are of what is left.",
    )
    carry_limit_share: Share = Field(0.0, description="Largest share of a year's new money carried to the next.")
    carry_limit_yuan: Yuan | None = Field(None, description="The same in yuan, instead of the share.")
    lasts_years: int | None = Field(
        None,
        ge=2,
        le=30,
        description="Years in which a year's money may be spent, its own included, oldest first, equation (25); no "
        "limit where empty.",
    )
    recurring: bool = Field(True, description="Whether it goes on after the horizon, at its growth, equation (23).")
    purposes: list[Purpose] = Field(
        default_factory=lambda: list(USUAL),
        description="What it may pay for; debts only where it is named.",
    )
    services: list[str] = Field(
        default_factory=list, description="Services it may pay for, within its purposes; all where empty."
    )
    districts: list[str] = Field(default_factory=list, description="Districts it may pay in; all where empty.")
    communities: list[str] = Field(
        default_factory=list, description="Earmark: communities it may pay for; all where empty."
    )
    types: list[str] = Field(default_factory=list, description="Earmark: types it may pay for; all where empty.")
    ceiling_share: dict[Purpose, Share] = Field(
        default_factory=dict, description="Purpose -> largest share of a year's new money."
    )
    limits: list[Limit] = Field(default_factory=list, description="Floors and ceilings by purpose and place.")

    def new_yuan(self, years: int) -> list[int]:
        """New money per year in whole yuan, scaled."""
        amount = self.amount_yuan
        raw = list(amount) if isinstance(amount, list) else [amount * (1 + self.growth) ** t for t in range(years)]
        return [int(value * self.scale + 0.5) for value in raw]

    def carry_limit(self, free_yuan: float) -> float:
        """Most that may be carried out of a year with so much free new money, in whole yuan, equation (20)."""
        limit = self.carry_limit_share * free_yuan if self.carry_limit_yuan is None else self.carry_limit_yuan
        return float(limit // 1)

    def spoken_for_yuan(self, years: int) -> list[int]:
        """Money of each year that earlier decisions have spoken for, in whole yuan; it is not scaled."""
        taken = self.committed_yuan
        return [int(value + 0.5) for value in (taken if isinstance(taken, list) else [taken] * years)]

    def may_pay(self, purpose: str, service: str, district: str, community: str, kind: str) -> bool:
        """Whether it may pay a cost, equation (21); `service` and `community` are empty where there is none."""
        if purpose not in self.purposes or (self.districts and district not in self.districts):
            return False
        if self.services and purpose.startswith("service") and service not in self.services:
            return False
        if not self.communities and not self.types:
            return True
        return bool(community) and (community in self.communities or kind in self.types)

    @model_validator(mode="after")
    def _purposes(self) -> Self:
        if not self.purposes:
            raise ValueError("purposes is empty: this source may pay for nothing; name a purpose or remove the source")
        return self

    @model_validator(mode="after")
    def _carry(self) -> Self:
        if self.carry_limit_yuan and self.carry_limit_share:
            raise ValueError(
                f"carry_limit_yuan = {self.carry_limit_yuan:g} stands beside carry_limit_share; give only one of them"
            )
        if self.lasts_years is not None and not self.carry_limit_share and not self.carry_limit_yuan:
            raise ValueError(
                f"lasts_years = {self.lasts_years} has no effect, because nothing may be carried over; give a carry "
                "limit too or drop it"
            )
        return self


class CoFunding(Part):
    """Equation (22): in every year the payer pays at least ratio x what `of` pays for the purpose."""

    purpose: Purpose = "work_funds"
    payer: str = Field(
        "district", description="`district`: the district's own sources (role district); or the name of a source."
    )
    of: str = Field(description="Source that is matched.")
    ratio: float = Field(ge=0, le=100)
    within: Literal["district", "city"] = Field(
        "district", description="Whether it holds in every district, or only for the city as a whole."
    )
    cap_yuan: Yuan | None = Field(None, description="Most that `of` pays for the purpose in a year, in all districts.")

    @model_validator(mode="after")
    def _whole_city(self) -> Self:
        if self.payer == "district" and self.within == "city":
            raise ValueError("within = city cannot hold for the districts' own sources; name a source as payer")
        return self


class RunningCommitment(Part):
    """Equation (23): what stations and rooms cost every year is paid by money that goes on, in the last year and after.

    Counted are the running costs of stations and the yearly costs of rooms and halls.
    """

    share: Share = Field(description="Largest share of a recurring source's new money that may be bound in this way.")
    years_after: int = Field(
        0, ge=0, le=50, description="Years after the horizon in which it must still hold, at growing prices."
    )


class _Scenario(Protocol):
    """What the rules of money look at in a scenario."""

    @property
    def sources(self) -> Mapping[str, Source]: ...
    @property
    def co_funding(self) -> Sequence[CoFunding]: ...
    @property
    def running_commitment(self) -> RunningCommitment | None: ...
    @property
    def services(self) -> Mapping[str, object]: ...
    @property
    def types(self) -> Mapping[str, object]: ...
    @property
    def years(self) -> Sequence[int]: ...


def money_contradictions(scenario: _Scenario) -> list[str]:
    """Return every contradiction between the rules of money, each as `dotted.path: message`."""
    found = [text for name, source in scenario.sources.items() for text in _of_source(scenario, name, source)]
    found += [text for name, source in scenario.sources.items() for text in _of_amounts(scenario, name, source)]
    found += [text for i, rule in enumerate(scenario.co_funding) for text in _of_co_funding(scenario, i, rule)]
    found += _circles(scenario)
    if scenario.running_commitment and not any(source.recurring for source in scenario.sources.values()):
        found.append("running_commitment: no source is recurring, so no station may cost anything; name those that are")
    return found


def _of_source(scenario: _Scenario, name: str, source: Source) -> Iterator[str]:
    at, years = f"sources.{name}", len(scenario.years)
    for key in ("amount_yuan", "committed_yuan"):
        given = getattr(source, key)
        if isinstance(given, list) and len(given) != years:
            yield f"{at}.{key}: has {len(given)} amounts for {years} years; give one per year or one number"
    for service in source.services:
        if service not in scenario.services:
            yield f"{at}.services: unknown service {service!r}; services are {', '.join(scenario.services)}"
    for where, kinds in (("types", source.types), *((f"limits.{n}.types", r.types) for n, r in _limits(source))):
        for kind in kinds:
            if kind not in scenario.types:
                yield f"{at}.{where}: unknown type {kind!r}; types are {', '.join(scenario.types)}"
    if source.services and not {"service_capital", "service_running"} & set(source.purposes):
        yield f"{at}.services: names services, but purposes has no service_capital or service_running"
    for number, limit in _limits(source):
        beyond = set(limit.purposes) - set(source.purposes)
        if beyond:
            yield f"{at}.limits.{number}.purposes: {', '.join(sorted(beyond))} is not among the source's purposes"
        away = set(limit.districts) - set(source.districts or limit.districts)
        if away:
            yield f"{at}.limits.{number}.districts: {', '.join(sorted(away))} is not among the source's districts"


def _limits(source: Source) -> list[tuple[int, Limit]]:
    return list(enumerate(source.limits or []))


def _of_amounts(scenario: _Scenario, name: str, source: Source) -> Iterator[str]:
    """Commitments above the amount, the worst year; and floors above ceilings or above the money there can be."""
    at, years = f"sources.{name}", len(scenario.years)
    given: object = source.amount_yuan
    if given is None:
        return  # it is missing or wrong, which is said elsewhere
    new, spoken = source.new_yuan(years), source.spoken_for_yuan(years)
    if len(new) != years or len(spoken) != years:
        return
    free = [a - b for a, b in zip(new, spoken, strict=True)]
    worst = min(range(years), key=lambda t: free[t])
    if free[worst] < 0:
        year = scenario.years[worst]
        yield (
            f"{at}.committed_yuan: {spoken[worst]:,} yuan of {year} are spoken for, but there are only {new[worst]:,}; "
            "lower the commitment or raise amount_yuan"
        )
        return
    yield from floor_contradictions(name, source, scenario.years, free)


def _of_co_funding(scenario: _Scenario, position: int, rule: CoFunding) -> Iterator[str]:
    at = f"co_funding.{position}"
    sources = scenario.sources
    if rule.of not in sources:
        yield f"{at}.of: there is no source {rule.of!r}"
    elif rule.payer == "district" and sources[rule.of].role == "district":
        yield f"{at}.of: {rule.of} is itself a district's source; name the source to be matched"
    if rule.payer != "district" and rule.payer not in sources:
        yield f"{at}.payer: there is no source {rule.payer!r}; write district or the name of a source"
    if rule.payer == "district" and not any(source.role == "district" for source in sources.values()):
        yield f"{at}.payer: no source has role district; add one or drop the rule"
    elif (
        (rule.payer == "district" or rule.payer in sources)
        and (rule.of in sources and rule.purpose in sources[rule.of].purposes)
        and not payers(scenario, rule)
    ):
        yield f"{at}.payer: {rule.payer} may not pay for {rule.purpose}, so {rule.of} may neither; widen purposes"


def payers(scenario: _Scenario, rule: CoFunding) -> list[str]:
    """Names of the sources that may pay what a rule of co-funding asks for, in any district."""
    return [
        name
        for name, source in scenario.sources.items()
        if rule.purpose in source.purposes
        and (source.role == "district" if rule.payer == "district" else name == rule.payer)
    ]


def _circles(scenario: _Scenario) -> Iterator[str]:
    """Rules of co-funding of one purpose that come back to the source they start from."""
    waits_for = [(rule.purpose, rule.of, payer) for rule in scenario.co_funding for payer in payers(scenario, rule)]
    for position, rule in enumerate(scenario.co_funding):
        of = scenario.sources.get(rule.of)
        if rule.payer == "district" and of is not None and of.role == "district":
            continue  # said already
        steps = {payer: [rule.of, payer] for payer in payers(scenario, rule)}
        while steps and rule.of not in steps:
            onward = {
                payer: [*path, payer]
                for source, path in steps.items()
                for purpose, of, payer in waits_for
                if purpose == rule.purpose and of == source and payer not in path[1:]
            }
            steps = onward
        if rule.of in steps:
            path = " waits for ".join(steps[rule.of])
            yield f"co_funding.{position}: co-funding of {rule.purpose} goes in a circle: {path}; drop one of the rules"
