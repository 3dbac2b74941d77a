"""How high everybody can be raised: held down by money where rooms alone would allow much more."""

from pathlib import Path

import pytest

from benchmarks.instances import write_instance
from benchmarks.joint_model import problem_of
from optimizer.fair import Fair
from optimizer.joint import build_joint
from optimizer.price_level import raise_level
from optimizer.price_plan import PricePlan, Settings


def test_the_bound_of_the_level_is_what_money_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[float] = []
    monkeypatch.setattr("optimizer.price_level._reach", lambda _, __, top, *___: found.append(top))
    path = write_instance(tmp_path, communities=60, seed=7)
    method = PricePlan(Fair.of(build_joint(problem_of(str(path)))), Settings(threads=1), lambda: False, lambda *_: None)
    raise_level(method, method.relaxed())
    # A plan with 0.709 is known, and without any limit of money 0.94 could be reached.
    assert 0.709 < found[0] < 0.75
