"""Numbers and names as people read them."""

from collections.abc import Iterable, Mapping

from optimizer.scenario import Scenario

PURPOSE_TITLES: Mapping[str, str] = {
    "work_funds": "Work funds",
    "space": "Space",
    "service_capital": "Opening stations",
    "service_running": "Running stations",
    "debt_relief": "Debt relief",
}
INSTRUMENT_TITLES: Mapping[str, str] = {
    "existing": "existing",
    "build": "built",
    "renovate": "renovated",
    "rent": "rented",
    "swap": "swapped",
    "hand_over": "handed over by a developer",
    "share": "shared hall",
}
GOAL_TITLES: Mapping[str, str] = {
    "worst_off": "worst-off community",
    "unmet_need": "unmet need of people",
    "travel": "travel",
    "weighted": "weighted sum of goals",
    "spending": "spending",
    "closeness": "few differences from the plan compared with",
}


def spelled(key: str) -> str:
    """Return a key as words with a capital: `urban_rural_fringe` becomes `Urban rural fringe`."""
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def need_title(scenario: Scenario, need: str) -> str:
    """Return the title of a need: work funds, space or a service."""
    if need in PURPOSE_TITLES:
        return PURPOSE_TITLES[need]
    service = scenario.services.get(need)
    return (service.title if service else "") or spelled(need)


def type_title(scenario: Scenario, kind: str) -> str:
    """Return the title of a type of community."""
    found = scenario.types.get(kind)
    return (found.title if found else "") or spelled(kind)


def class_title(scenario: Scenario, name: str) -> str:
    """Return the title of a class of guidance."""
    found = scenario.guidance.get(name)
    return (found.title if found else "") or spelled(name)


def source_title(scenario: Scenario, source: str) -> str:
    """Return the title of a source."""
    found = scenario.sources.get(source)
    return (found.title if found else "") or spelled(source)


def number(value: float, digits: int = 0) -> str:
    """Return a number with thousands separated by commas."""
    return f"{value:,.{digits}f}"


def million(value: float, digits: int = 1) -> str:
    """Return an amount of money in millions, without its unit; more digits for small amounts."""
    if 0 < abs(value) < 10 ** (6 - digits):
        digits = 3 if abs(value) >= 1_000 else 6
    return number(value / 1e6, digits)


def money(value: float, currency: str) -> str:
    """Return an amount of money in words: millions from one million on."""
    if abs(value) >= 1e6:
        return f"{number(value / 1e6, 1)} million {currency}"
    return f"{number(value)} {currency}"


def share(value: float) -> str:
    """Return a share with two digits; never a rounded 1.00 for a share below one, nor 0.00 above zero."""
    if 0.995 <= value < 1:
        return "0.99"
    if 0 < value < 0.005:
        return "<0.01"
    return f"{value:.2f}"


def signed(value: float) -> str:
    """Return a difference with two digits and its sign."""
    return f"{value:+.2f}".replace("-", "−")


def thousandths(value: float | None) -> float | None:
    """Return a share or difference in thousandths for a page's script; None where there is none.

    Two digits more than whole thousandths: a script that rounds these to hundredths says what is said elsewhere.
    """
    if value is None or value != value:
        return None
    found = round(1000 * float(value), 2)
    return int(found) if found.is_integer() else found


def percent(value: float) -> str:
    """Return a gap or part in per cent with as many digits as it needs."""
    value *= 100
    if value == 0:
        return "0 %"
    if value < 0.01:
        return "<0.01 %"
    return f"{value:.2g} %" if value < 10 else f"{value:.0f} %"


def metres(value: float) -> str:
    """Return a travel distance."""
    return f"{number(value)} m" if value < 10_000 else f"{number(value / 1000, 1)} km"


def listed(words: Iterable[object], most: int = 6) -> str:
    """Return words as `a, b and c`; beyond `most` the rest is counted."""
    shown = [str(word) for word in words]
    if len(shown) > most:
        return ", ".join(shown[: most - 1]) + f" and {len(shown) - most + 1} more"
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def years_listed(years: Iterable[int]) -> str:
    """Return years as `2007`, `2007–2009` or `2007 and 2009`."""
    runs: list[list[int]] = []
    for year in sorted(set(years)):
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return listed([str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs])


def plural(count: int, one: str, many: str = "") -> str:
    """Return `1 station` or `12 stations`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def printable(text: str) -> str:
    """Return text without control characters, which a terminal might obey."""
    return "".join(character for character in text if character.isprintable())
