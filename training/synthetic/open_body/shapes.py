"""Betas from the variation of adult bodies, expressions from named mixes of face units."""

import numpy as np

from .geometry import Floats, Integers
from .source import MIRROR, Source

BETAS = 10
_PEAK = 0.007
"""No vertex moves more than 7 mm per unit of expression. Uncapped, a smile moved 20 mm and broke at 1.5 units."""

_MIXES: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 1.0, "cheekSquint": 0.4, "mouthFrown": -0.3},
    "lips_part": {"mouthLowerDown": 0.8, "mouthUpperUp": 0.6, "mouthPress": -0.3},
    "brow_raise": {"browInnerUp": 0.8, "browOuterUp": 0.8, "browDown": -0.5},
    "pucker": {"mouthPucker": 0.7, "mouthFunnel": 0.3, "mouthStretch": -0.4},
    "blink": {"eyeBlink": 0.5},
    "frown": {"browDown": 0.7, "mouthFrown": 0.7, "noseSneer": 0.3},
    "stretch": {"mouthStretch": 0.8, "mouthDimple": 0.5},
    "sneer": {"noseSneer": 0.8, "mouthUpperUp": 0.3},
    "cheek_puff": {"cheekPuff": 0.7},
    "mouth_left": {"mouthLeft": 0.6, "mouthRight": -0.6},
}
EXPRESSIONS: tuple[str, ...] = tuple(_MIXES)
"""The ten expressions, each usable in both directions. Opening the mouth is left to the jaw joint."""


def betas_from_samples(samples: Floats, mirror: Integers) -> tuple[Floats, Floats]:
    """Principal components of shape, scaled so that betas of the samples have unit variance.

    Args:
        samples: (N, V, 3) bodies in the rest pose.
        mirror: (V,) the vertex on the other side.

    Returns:
        The mean body (V, 3) and directions (V, 3, 10) in meters; beta 0 grows with stature.
    """
    mean = _symmetric(samples.mean(axis=0), mirror)
    flat = (samples - mean).reshape(len(samples), -1)
    # The N x N matrix of dot products has the same components as the far larger covariance.
    mixtures = np.linalg.eigh(flat @ flat.T).eigenvectors
    strongest = mixtures[:, ::-1][:, :BETAS]
    directions = (flat.T @ strongest / np.sqrt(len(samples) - 1)).reshape(*mean.shape, BETAS)
    directions = np.stack([_symmetric(directions[..., k], mirror) for k in range(BETAS)], axis=2)
    return mean, directions * _signs(directions, mean)


def _signs(directions: Floats, mean: Floats) -> Floats:
    """Beta 0 raises the crown; of the others the largest coordinate is positive: eigenvectors come with any sign."""
    flat = directions.reshape(-1, BETAS)
    signs = np.sign(flat[np.abs(flat).argmax(axis=0), np.arange(BETAS)])
    signs[0] = np.sign(directions[mean[:, 1].argmax(), 1, 0])
    return np.asarray(signs)


def expression_directions(source: Source) -> Floats:
    """(V, 3, 10) displacement per unit of each expression, meters."""
    directions = []
    for name, mix in _MIXES.items():
        direction = np.sum([weight * _unit(source, unit) for unit, weight in mix.items()], axis=0)
        direction = _symmetric(direction, source.mirror, odd=name == "mouth_left")
        directions.append(direction * min(1.0, _PEAK / np.linalg.norm(direction, axis=1).max()))
    return np.stack(directions, axis=2)


def _unit(source: Source, name: str) -> Floats:
    units = source.face_units
    return units[name] if name in units else units[f"{name}Left"] + units[f"{name}Right"]


def _symmetric(vectors: Floats, mirror: Integers, odd: bool = False) -> Floats:
    mirrored = vectors[mirror] * MIRROR
    return np.asarray((vectors - mirrored if odd else vectors + mirrored) / 2)
