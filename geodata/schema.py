"""The data schema: every table and column of a city, with unit, type, default and description.

This is the only place where columns are described. The checks (`geodata.check`), the readers
(`geodata.read`), the starter city (`geodata.init`) and `docs/data-schema.md` all come from it.
"""

from dataclasses import dataclass
from typing import Literal

from geodata.street_words import ALIASES, MOST_KMH

Kind = Literal[
    "identifier", "text", "integer", "number", "boolean", "category", "list", "direction", "class", "speed", "bridge"
]
Geometry = Literal["polygon", "point", "line", "line or polygon", "none"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `default` is what a missing column or an empty cell means; `None` together with `required` means
    that a value must be given; an identifier with default `#` is the row number where the file has no such column.
    A number above `plausible` is warned of.
    `also` are names the file may have for it. `references` names the table whose identifier the value must be.
    `choices` lists the words allowed; `scenario_choices` names the part of the scenario
    (`types`, `services`) whose keys are the words allowed.
    """

    name: str
    kind: Kind
    description: str
    unit: str = ""
    required: bool = False
    default: str | float | bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    plausible: float | None = None
    choices: tuple[str, ...] = ()
    references: str = ""
    scenario_choices: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table (layer) of a city; `key` names the columns that identify a row."""

    name: str
    geometry: Geometry
    key: tuple[str, ...]
    required: bool
    description: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column called `name`; raise KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order, without the geometry."""
        return tuple(column.name for column in self.columns)


INSTRUMENTS = ("existing", "build", "renovate", "rent", "swap", "hand_over", "share")
USES = ("office", "extension", "station", "hall")
LEVELS = ("outlet", "station", "centre")

COMMUNITIES = Table(
    "communities",
    "polygon",
    ("community",),
    True,
    "Neighbourhood communities, one polygon each; together they should cover the city without overlap.",
    (
        Column("community", "identifier", "Identifier of the community.", required=True),
        Column("name", "text", "Name shown to people; the identifier where empty.", default=""),
        Column("name_zh", "text", "Name in Chinese.", default=""),
        Column("district", "text", "District (county-level unit) whose finance may pay.", default="city"),
        Column("sub_district", "text", "Sub-district office; the district where empty.", default=""),
        Column("type", "category", "Type of community.", default="pure_residential", scenario_choices="types"),
        Column("main_city", "boolean", "Whether it belongs to the main city.", default=False),
        Column("population", "number", "Residents.", "persons", required=True, minimum=0, plausible=1e7),
        Column("households", "number", "Households; population / 2.6 where empty.", "households", minimum=0),
        Column("elderly", "number", "Residents of 60 and over.", "persons", default=0.0, minimum=0),
        Column("children", "number", "Residents under 15.", "persons", default=0.0, minimum=0),
        Column("migrants", "number", "Floating population living here.", "persons", default=0.0, minimum=0),
        Column("laid_off", "number", "Laid-off and unemployed residents.", "persons", default=0.0, minimum=0),
        Column(
            "min_income_households", "number", "Households on minimum income.", "households", default=0.0, minimum=0
        ),
        Column("own_income_yuan", "number", "Own yearly income of the community.", "yuan/year", default=0.0, minimum=0),
        Column("debt_yuan", "number", "Debt of the community.", "yuan", default=0.0, minimum=0),
        Column(
            "last_year_yuan",
            "number",
            "What it had from the budgets last year; only the rule last_year_plus asks for it.",
            "yuan/year",
            minimum=0,
        ),
        Column(
            "hardship", "number", "Special hardship, from 0 (none) to 1 (worst).", default=0.0, minimum=0, maximum=1
        ),
        Column("note", "text", "What is known of the community in words.", default=""),
    ),
)

SITES = Table(
    "sites",
    "point",
    ("site",),
    True,
    "Buildings: the communities' own offices, rooms that could be had, and halls that could be shared.",
    (
        Column("site", "identifier", "Identifier of the building.", required=True),
        Column("name", "text", "Name shown to people; the identifier where empty.", default=""),
        Column("community", "identifier", "Community it lies in.", required=True, references="communities"),
        Column(
            "use",
            "category",
            "office: the community's own rooms (at most one each); extension: rooms that would be added to that "
            "office; station: a building for network stations; hall: a hall shared by the hour.",
            required=True,
            choices=USES,
        ),
        Column(
            "instrument",
            "category",
            "How it is had: existing (offices), build, renovate, rent, swap, hand_over (by a developer), "
            "share (halls).",
            required=True,
            choices=INSTRUMENTS,
        ),
        Column(
            "area_m2",
            "number",
            "Floor area that is there or could be had.",
            "m2",
            required=True,
            minimum=0,
            plausible=1e6,
        ),
        Column("min_area_m2", "number", "Smallest sensible part of it.", "m2", default=0.0, minimum=0),
        Column(
            "fixed_yuan", "number", "Paid once when it is taken, whatever the size.", "yuan", default=0.0, minimum=0
        ),
        Column("capital_yuan_per_m2", "number", "Paid once per area taken.", "yuan/m2", default=0.0, minimum=0),
        Column(
            "yearly_yuan_per_m2",
            "number",
            "Rent, fee or upkeep per area in use and year.",
            "yuan/m2/year",
            default=0.0,
            minimum=0,
        ),
        Column(
            "gives_m2",
            "number",
            "Floor of the community's own office given up for it (swap of an extension); capital_yuan_per_m2 is paid "
            "for what it has more.",
            "m2",
            default=0.0,
            minimum=0,
        ),
        Column("plot_m2", "number", "Land that a new building takes (build).", "m2", default=0.0, minimum=0),
        Column("land_yuan_per_m2", "number", "Price of that land.", "yuan/m2", default=0.0, minimum=0),
        Column(
            "first_year", "integer", "First calendar year it can be taken; 0: at once.", "year", default=0, minimum=0
        ),
        Column("lead_years", "integer", "Years from payment to use.", "years", default=0, minimum=0, maximum=20),
        Column(
            "project_m2",
            "number",
            "Floor of the developer's whole project, by which its deposit is reckoned (hand_over).",
            "m2",
            default=0.0,
            minimum=0,
        ),
        Column(
            "hours_per_week",
            "number",
            "Hours a hall is offered for sharing.",
            "hours/week",
            default=40.0,
            minimum=0,
            maximum=168,
        ),
        Column(
            "services",
            "list",
            "Network services that may stand here, separated by commas; empty: all of them.",
            default="",
            scenario_choices="services",
        ),
        Column(
            "must",
            "category",
            "take: it is taken, in full (extensions and station buildings); leave: it is not; empty: the plan decides.",
            default="",
            choices=("take", "leave"),
        ),
    ),
)

FACILITIES = Table(
    "facilities",
    "point",
    ("facility",),
    False,
    "What exists today: stations, centres and outlets with their capacity.",
    (
        Column("facility", "identifier", "Identifier of the facility.", required=True),
        Column("name", "text", "Name shown to people.", default=""),
        Column("kind", "text", "What it is, in the words of its source.", default=""),
        Column("community", "identifier", "Community it lies in.", required=True, references="communities"),
        Column(
            "site",
            "identifier",
            "Building it stands in (an office too) and whose floor it uses; empty: at the office of its community if "
            "it has one, else a place of its own.",
            default="",
            references="sites",
        ),
        Column(
            "service",
            "category",
            "Service it gives; empty: it gives none of the planned services and is shown only.",
            default="",
            scenario_choices="services",
        ),
        Column(
            "level",
            "category",
            "outlet: serves only its community; station or centre: serves whoever is within the limit.",
            default="station",
            choices=LEVELS,
        ),
        Column(
            "capacity", "number", "Units of the service a year.", "units/year", default=0.0, minimum=0, plausible=1e9
        ),
        Column("area_m2", "number", "Floor area it uses.", "m2", default=0.0, minimum=0, plausible=1e6),
        Column(
            "spare_m2",
            "number",
            "Floor beside it, that nothing else uses, into which a shared station may grow (upgrade of its service).",
            "m2",
            default=0.0,
            minimum=0,
        ),
        Column("running_yuan", "number", "Running cost paid from the budgets.", "yuan/year", default=0.0, minimum=0),
        Column(
            "hangs_on",
            "identifier",
            "Facility of the level above that it hangs on, for services with levels: an outlet on a station or centre, "
            "a station on a centre; empty: as the scenario says.",
            default="",
            references="facilities",
        ),
        Column(
            "lease_until",
            "integer",
            "Last calendar year its rooms can be used, for shared stations; 0: no end. It closes when that is over.",
            "year",
            default=0,
            minimum=0,
        ),
        Column(
            "must",
            "category",
            "keep: it stays; close: it closes within the years planned; empty: as the scenario allows.",
            default="",
            choices=("keep", "close"),
        ),
    ),
)

STREETS = Table(
    "streets",
    "line",
    ("street",),
    False,
    "Streets: a file of lines or GraphML. Lines meet where they share a vertex, to the centimetre; those that only "
    "cross, as on a bridge, do not.",
    (
        Column(
            "street",
            "identifier",
            "Identifier of the street; several rows of one are numbered.",
            default="#",
            also=ALIASES["street"][1:],
        ),
        Column("name", "text", "Name of the street.", default=""),
        Column(
            "length_m",
            "number",
            "Length to travel; length of the line where empty.",
            "m",
            minimum=0,
            also=ALIASES["length_m"][1:],
        ),
        Column(
            "one_way",
            "direction",
            "For driving. yes (or 1): only in the direction of drawing; -1: only against it; no (or 0): both ways.",
            default=0,
            also=ALIASES["one_way"][1:],
        ),
        Column("class", "class", "Class of street, in OpenStreetMap's words.", default="", also=ALIASES["class"][1:]),
        Column(
            "speed_kmh",
            "speed",
            "Speed of driving; that of the class where empty.",
            "km/h",
            maximum=MOST_KMH,
            also=ALIASES["speed_kmh"][1:],
        ),
        Column("bridge", "bridge", "yes: it goes over or under barriers.", default=False),
    ),
)

PEOPLE = Table(
    "people",
    "point",
    ("point",),
    False,
    "Where people live: entrances, addresses, or cells of a population grid. Travel of a community with points is the "
    "mean over its people; of one without, it is that of its office.",
    (
        Column("point", "identifier", "Identifier of the point.", default="#"),
        Column("community", "identifier", "Community it belongs to.", required=True, references="communities"),
        Column(
            "persons",
            "number",
            "People there; only proportions within a community count.",
            "persons",
            required=True,
            minimum=0,
        ),
    ),
)

BARRIERS = Table(
    "barriers",
    "line or polygon",
    ("barrier",),
    False,
    "Rivers, railways, walls: streets that cross one are closed there unless they are bridges.",
    (
        Column("barrier", "identifier", "Identifier of the barrier.", default="#"),
        Column("name", "text", "Name of it.", default=""),
    ),
)

NEEDS = Table(
    "needs",
    "none",
    ("community", "need"),
    True,
    "How much of each service a community needs in the first year. Work funds and space follow from the scenario.",
    (
        Column("community", "identifier", "Community.", required=True, references="communities"),
        Column("need", "category", "Service needed.", required=True, scenario_choices="services"),
        Column(
            "amount", "number", "Units needed in the first year.", "units/year", required=True, minimum=0, plausible=1e9
        ),
        Column("persons", "number", "People concerned; the amount where empty.", "persons", minimum=0),
    ),
)

DISTRICTS = Table(
    "districts",
    "polygon",
    ("district",),
    False,
    "County-level units, for maps and names.",
    (
        Column("district", "identifier", "Identifier of the district.", required=True),
        Column("name", "text", "Name shown to people; the identifier where empty.", default=""),
        Column("name_zh", "text", "Name in Chinese.", default=""),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table for table in (COMMUNITIES, SITES, FACILITIES, STREETS, PEOPLE, BARRIERS, NEEDS, DISTRICTS)
}
PERSONS_PER_HOUSEHOLD = 2.6  # national figure for 2018, quoted in the founding study's notes
