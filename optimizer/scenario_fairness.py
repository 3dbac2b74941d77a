"""What a scenario may say about fairness beyond its goals: bounds of inequality and least shares of groups."""

from collections.abc import Collection, Iterator, Sequence

from pydantic import Field, model_validator

from optimizer.scenario_base import Part, Share


class AtkinsonBound(Part):
    """Bound of the Atkinson index of scores, equation (28)."""

    epsilon: float = Field(gt=0, le=5, description="Aversion to inequality; from 1 on nobody may have nothing.")
    value: Share = Field(description="Largest index allowed.")


class Group(Part):
    """Communities that meet every condition, and the least they get, equation (31)."""

    title: str = ""
    districts: list[str] = Field(default_factory=list, description="Only these districts; all where empty.")
    types: list[str] = Field(default_factory=list, description="Only these types; all where empty.")
    classes: list[str] = Field(default_factory=list, description="Only these classes of guidance; all where empty.")
    column: str = Field("", description="Column of communities that must be at least `at_least`.")
    per: str = Field("", description="Column it is divided by, for example population.")
    at_least: float | None = Field(None, description="Least value, or share, of the column; inclusive.")
    least_share_of_money: Share | None = Field(
        None, description="Least share of all money spent on single communities (not on shared stations)."
    )
    least_met_share: Share | None = Field(
        None, description="Least part of the group's person-needs that is met over the horizon."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Group":
        if not (self.districts or self.types or self.classes or self.column):
            raise ValueError("names no communities; give districts, types, classes or a column")
        if self.least_share_of_money is None and self.least_met_share is None:
            raise ValueError("asks for nothing; give least_share_of_money or least_met_share")
        if bool(self.column) != (self.at_least is not None):
            raise ValueError("column and at_least belong together; give both or neither")
        if self.per and not self.column:
            raise ValueError("per needs a column")
        return self

    def name(self, number: int) -> str:
        """Return the title, or what it is made of."""
        said = [*self.districts, *self.types, *self.classes]
        if self.column:
            said.append(f"{self.column}{' per ' + self.per if self.per else ''} at least {self.at_least:g}")
        return self.title or ", ".join(said) or f"group {number + 1}"


class Fairness(Part):
    """Bounds of inequality that every plan keeps, and what is to be said about fairness; all off unless named."""

    price: bool = Field(
        False, description="Also plan without any fairness, and say how much more that would meet, equation (36)."
    )
    gini_at_most: Share | None = Field(None, description="Largest Gini index of scores of communities, equation (27).")
    atkinson_at_most: AtkinsonBound | None = None
    groups: list[Group] = Field(default_factory=list)

    @property
    def bounds(self) -> bool:
        """Whether it limits plans."""
        return self.gini_at_most is not None or self.atkinson_at_most is not None or bool(self.groups)


def fairness_contradictions(
    rule: Fairness | None, types: Collection[str], classes: Collection[str], goals: Sequence[str], *, by_rule: bool
) -> Iterator[str]:
    """Yield what cannot be meant beside types and classes of the scenario, each as `dotted.path: message`."""
    if rule is None:
        return
    if by_rule:
        yield "fairness: a plan made by a rule is not searched, so it keeps no such bound; drop fairness or rule"
    others = [goal for goal in goals if goal != "worst_off"]
    main = "weighted" if "unmet_need" not in others else "unmet_need"
    if rule.price and others[:1] != [main]:
        yield (
            "fairness.price: what fairness costs is measured in unmet_need, or in weighted without it: name it first "
            "among the goals, or right after worst_off"
        )
    if rule.price and not rule.bounds and len(others) == len(goals):
        yield "fairness.price: nothing here is fair that could cost anything; add the goal worst_off or a bound"
    for n, group in enumerate(rule.groups):
        for word in group.types:
            if word not in types:
                yield f"fairness.groups.{n}.types: unknown type {word!r}; types are {', '.join(types)}"
        for word in group.classes:
            if word not in classes:
                yield f"fairness.groups.{n}.classes: unknown class {word!r}; classes are {', '.join(classes)}"
