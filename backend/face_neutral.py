"""A person's resting face over a take: what a face looks like all the time is no expression.

From one picture nobody can tell low brows from a frown, or narrow eyes from half-closed ones. Over a take the usual
value of each coefficient is the person's own rest, within limits, since people do smile through a whole take.
"""

import numpy as np
from numpy.typing import NDArray

from .motion.body_file import BodyFile

Array = NDArray[np.float64]

SHORTEST = 2.0
"""Seconds of a seen face below which nothing is known about its rest."""
USUAL, LOW = 50, 20
"""Percentiles that are taken for the rest: the median, but a low one for what is seldom done the other way."""
ONE_SIDED = ("smile", "blink")
LIMITS = {"brow_raise": 0.6, "frown": 0.4, "blink": 0.3} | dict.fromkeys(
    ("smile", "lips_part", "pucker", "stretch", "sneer", "cheek_puff", "mouth_left"), 0.2
)
"""No more than this is taken for rest; nothing of expressions that have no name here, as other bodies' have none."""


def without_rest(expression: Array, present: NDArray[np.bool_], times: Array, body: BodyFile) -> Array:
    """Measure expressions from the person's own resting face.

    Args:
        expression: (T, 10) coefficients of the body's expressions.
        present: (T,) frames in which the face was seen.
        times: (T,) seconds.
        body: names the coefficients.

    Returns:
        (T, 10); unchanged where the face was seen for too short a time.
    """
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    if present.sum() * step < SHORTEST:
        return expression
    seen = expression[present]
    rest = np.zeros(expression.shape[1])
    for unit, name in enumerate(body.expression_names):
        usual = np.percentile(seen[:, unit], LOW if name in ONE_SIDED else USUAL)
        limit = LIMITS.get(name, 0.0)
        rest[unit] = np.clip(usual, -limit, limit)
    return expression - rest
