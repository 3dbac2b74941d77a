from geodata.findings import Finding, InputError, condensed, did_you_mean, listed


def test_a_finding_in_one_line() -> None:
    finding = Finding(
        "error",
        "data/c.gpkg",
        "communities",
        17,
        "Fucheng 017",
        "population",
        "-3",
        "0 or more",
        "",
        "must be 0 or more",
    )
    assert finding.text() == "data/c.gpkg   communities, row 17 (Fucheng 017): population = -3  must be 0 or more"
    assert Finding("warning", message="only this", remedy="do that").text() == "only this; do that"
    assert Finding("error", "f", message="is gone").text() == "f   is gone"


def test_input_error_says_everything() -> None:
    error = InputError([Finding("error", "a", message="one"), Finding("error", "b", message="two")])
    assert str(error) == "a   one\nb   two"
    assert InputError("just words").findings[0].message == "just words"


def test_many_of_a_kind_are_counted() -> None:
    many = [Finding("error", "f", "sites", i, "", "area_m2", "-1", "0", "", "must be 0 or more") for i in range(1, 9)]
    lines = condensed([*many, Finding("warning", "f", message="other")], most=3)
    assert len(lines) == 5
    assert lines[3] == "f   sites area_m2: and 5 more of the same kind"


def test_words() -> None:
    assert did_you_mean("populaton", ["population", "name"]) == "did you mean population?"
    assert did_you_mean("xyz", ["population"]) == ""
    assert listed(range(20), 3) == "0, 1, 2 and 17 more"
