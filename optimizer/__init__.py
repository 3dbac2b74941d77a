"""Joint multi-year plans of money, space and service stations for a city's communities.

In notebooks: `import optimizer as allot`, then `allot.run`, `allot.load`, `allot.compare`; see `optimizer.api`.
"""

import sys

TYPE_CHECKING = False  # not even typing is imported here: until the command runs, Ctrl-C ends it with a traceback
if TYPE_CHECKING:
    from typing import Any

    from optimizer.api import (
        CompareError,
        Comparison,
        Frontier,
        Infeasible,
        InputError,
        Plan,
        RunError,
        ScenarioError,
        compare,
        frontier,
        load,
        run,
    )

__all__ = [
    "CompareError", "Comparison", "Frontier", "Infeasible", "InputError", "Plan", "RunError", "ScenarioError",
    "compare", "frontier", "load", "run",
]  # fmt: skip


class _Late:
    """A name of `optimizer.api`, imported when it is first asked for, so that the command starts at once.

    Importing the modules `optimizer.run` or `optimizer.compare` does not put them in place of the functions.
    """

    def __init__(self, name: str):
        self._name = name

    def __get__(self, package: object, owner: type) -> "Any":
        from optimizer import api

        return getattr(api, self._name)

    def __set__(self, package: object, value: object) -> None:
        """Keep the function: this is a module of the same name being imported."""


_Package = type("_Package", (type(sys),), {name: _Late(name) for name in __all__})
sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
