"""The classical location models: one file each, from a cost matrix (clients × sites) to a proven choice of sites.

``lscp``, ``backup_coverage``, ``mclp``, ``p_median``, ``p_center``, ``cflp``, ``capacitated_p_median``,
``p_dispersion`` return a ``Result``; ``SitingInputError`` and ``SitingInfeasible`` say what is wrong or missing.
"""

from optimizer.siting.backup_coverage import backup_coverage
from optimizer.siting.capacitated_p_median import capacitated_p_median
from optimizer.siting.cflp import cflp
from optimizer.siting.errors import Finding, SitingError, SitingInfeasible, SitingInputError
from optimizer.siting.lscp import lscp
from optimizer.siting.mclp import mclp
from optimizer.siting.p_center import p_center
from optimizer.siting.p_dispersion import p_dispersion
from optimizer.siting.p_median import p_median
from optimizer.siting.result import Result

__all__ = [
    "Finding",
    "Result",
    "SitingError",
    "SitingInfeasible",
    "SitingInputError",
    "backup_coverage",
    "capacitated_p_median",
    "cflp",
    "lscp",
    "mclp",
    "p_center",
    "p_dispersion",
    "p_median",
]
