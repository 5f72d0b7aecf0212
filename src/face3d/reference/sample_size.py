"""How many people a study needs: for an agreement, a share, or a change known well enough."""

from __future__ import annotations

import math

import numpy as np

#: No plan is searched beyond this.
MOST = 100_000


def people_for_icc(expected: float, width: float, raters: int = 2, level: float = 0.95) -> int:
    """So that the interval of an ICC is `width` wide in all (Bonett 2002, Stat Med 21:1331). A quadratic kappa is an
    ICC in all but name (Fleiss & Cohen 1973), so this serves for House-Brackmann too."""
    from scipy.stats import norm

    if not (0 < expected < 1 and 0 < width < 1 and raters > 1):
        raise ValueError(f"expected {expected}, width {width}, raters {raters}; need 0..1, 0..1 and 2 or more")
    z, k = float(norm.ppf(0.5 + level / 2)), raters
    n = 8 * z**2 * (1 - expected) ** 2 * (1 + (k - 1) * expected) ** 2 / (k * (k - 1) * width**2) + 1
    return math.ceil(n + 5 * expected if k == 2 and expected >= 0.7 else n)


def people_for_share(expected: float, half_width: float, level: float = 0.95) -> int:
    """So that Wilson's interval of a share reaches `half_width` to either side on average: sensitivity, exact
    grades."""
    from scipy.stats import norm

    if not (0 <= expected <= 1 and 0 < half_width < 0.5):
        raise ValueError(f"expected {expected}, half width {half_width}; need 0..1 and 0..0.5")
    z = float(norm.ppf(0.5 + level / 2))
    n = np.arange(2, MOST)
    half = z * np.sqrt(expected * (1 - expected) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    enough = np.flatnonzero(half <= half_width)
    if not len(enough):
        raise ValueError(f"more than {MOST} people are needed")
    return int(n[enough[0]])


def people_for_change(response_mean: float, power: float = 0.9, alpha: float = 0.05) -> int:
    """So that a paired t test finds a mean change of `response_mean` SDs of the changes with this power."""
    from scipy.stats import nct, t

    if not (response_mean and 0 < power < 1 and 0 < alpha < 1):
        raise ValueError(f"response mean {response_mean}, power {power}, alpha {alpha}; need not 0, 0..1 and 0..1")
    size = abs(response_mean)
    for n in range(3, MOST):
        if nct.sf(t.ppf(1 - alpha / 2, n - 1), n - 1, size * math.sqrt(n)) >= power:
            return n
    raise ValueError(f"more than {MOST} people are needed")
