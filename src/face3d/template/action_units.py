"""Movement units of each side: how much each muscle group acts, left and right, from the template fit.

The 3D counterpart of the Kinect's facial animation units (Gaber 2022), which could hardly tell the sides apart: here
the two sides' units are estimated from the surface, each with its standard error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from face3d.scan import Floats
from face3d.template.fit import TemplateFit
from face3d.template.template import FaceTemplate

if TYPE_CHECKING:
    import pandas as pd

#: Both sides below this: a unit that is not in use has no ratio between its sides.
LEAST = 0.1
#: mm: ridge with which one author's units are written in the other's.
_RIDGE = 0.3


def action_units(fit: TemplateFit) -> pd.DataFrame:
    """One row a unit of the ARKit-named set: `unit`, `left`, `right` (0..1), `left_se`, `right_se` (standard errors by
    the fit's covariance), `ratio` (weaker over stronger side, NaN where neither is in use) and `relative` (to the
    subject's own rest, or to the average face)."""
    import pandas as pd

    names, left, right, left_se, right_se = named_units(fit)
    left, right = np.clip(left, 0.0, 1.0), np.clip(right, 0.0, 1.0)
    weaker, stronger = np.minimum(left, right), np.maximum(left, right)
    ratio = np.where(stronger >= LEAST, weaker / np.maximum(stronger, LEAST), np.nan)
    return pd.DataFrame(
        {
            "unit": names,
            "left": left,
            "right": right,
            "left_se": left_se,
            "right_se": right_se,
            "ratio": ratio,
            "relative": "own rest" if fit.relative else "average face",
        }
    )


def no_action_units() -> pd.DataFrame:
    """The table without rows."""
    import pandas as pd

    return pd.DataFrame(columns=["unit", "left", "right", "left_se", "right_se", "ratio", "relative"])


def unit_names(template: FaceTemplate) -> list[str]:
    """The ARKit-named units, in which all others are written."""
    return _translation(template)[1]


def named_units(fit: TemplateFit) -> tuple[list[str], Floats, Floats, Floats, Floats]:
    """Intensities and standard errors of the ARKit-named units; units by another author are written in them."""
    translation, names = _translation(fit.template)
    left, right = translation @ fit.left, translation @ fit.right
    return names, left, right, _spread(translation, fit.left_se), _spread(translation, fit.right_se)


def _spread(translation: Floats, se: Floats) -> Floats:
    return np.sqrt((translation**2) @ se**2)


@lru_cache(maxsize=3)
def _translation(t: FaceTemplate) -> tuple[Floats, list[str]]:
    """(U_a, U): each unit of the template as non-negative amounts of the ARKit-named ones."""
    from scipy.optimize import nnls

    first = [k for k, name in enumerate(t.units) if "-" not in name]
    out = np.zeros((len(first), len(t.units)))
    out[np.arange(len(first)), first] = 1.0
    root = np.sqrt(t.area / t.area.sum())[None, :, None]
    flat = (t.left[first] * root).reshape(len(first), -1).T.astype(np.float64)
    stacked = np.vstack([flat, _RIDGE * np.eye(len(first))])
    for k in set(range(len(t.units))) - set(first):
        wanted = np.r_[(t.left[k] * root[0]).ravel().astype(np.float64), np.zeros(len(first))]
        out[:, k] = nnls(stacked, wanted)[0]
    return out, [t.units[k] for k in first]
