"""Joints as fixed averages of skin vertices, so that any shape of the body finds its own skeleton."""

import numpy as np
from scipy.optimize import nnls

from ....backend.motion.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from .geometry import Flags, Floats, Integers

RING_JOINTS = ("spine1", "spine2", "spine3", "left_knee", "right_knee")
"""Deep joints that the skin does not follow linearly: they are *defined* as averages of the ring around them."""
_RING_HALF_HEIGHT = 0.03
_NEAR, _SPREAD_AMONG, _SPREAD = 100, 1500, 300
_FACE_MOTION = 3e-4


def fit_regressor(samples: Floats, joints: Floats, weights: Floats, expressions: Floats, mirror: Integers) -> Floats:
    """Find averages of vertices that give the joints of every sampled body.

    Args:
        samples: (N, V, 3) bodies in the rest pose.
        joints: (N, 55, 3) their joints, from the rig.
        weights: (V, 55) skinning weights: a joint is averaged over skin that moves with it or its parent.
        expressions: (V, 3, 10); skin that the face moves is left out, since expressions come before the regressor.
        mirror: (V,) the vertex on the other side.

    Returns:
        (55, V), not negative, rows sum to 1, right joints the mirror images of left ones.
    """
    mean, targets = samples.mean(axis=0), joints.mean(axis=0)
    still = np.linalg.norm(expressions, axis=1).max(axis=1) < _FACE_MOTION
    rng = np.random.default_rng(1)
    regressor = np.zeros((len(JOINT_NAMES), samples.shape[1]))
    for joint, name in enumerate(JOINT_NAMES):
        if name.startswith("right_"):
            regressor[joint] = regressor[JOINT_INDEX[name.replace("right_", "left_")]][mirror]
            continue
        usable = still & _own_area(weights, joint)
        if name in RING_JOINTS:
            row = _ring_average(mean, targets[joint], usable)
        else:
            row = _fitted_average(samples, joints[:, joint], mean, usable, rng)
        regressor[joint] = row if name.startswith("left_") else (row + row[mirror]) / 2
    return regressor


def _own_area(weights: Floats, joint: int) -> Floats:
    """(V,) skin that moves with the joint or its parent; eyes are found by their balls alone."""
    if "eye" in JOINT_NAMES[joint]:
        return np.asarray(weights[:, joint] > 0.99)
    group = [joint, PARENTS[joint]] if joint else [0, 1, 2, 3]
    return np.asarray(weights[:, group].sum(axis=1) > 0.2)


def _ring_average(mean: Floats, target: Floats, usable: Flags) -> Floats:
    """The most even average of the slice of skin around a joint that lies at the joint in the mean body."""
    ring = np.nonzero(usable & (np.abs(mean[:, 1] - target[1]) < _RING_HALF_HEIGHT))[0]
    constraints = np.vstack([mean[ring].T, np.ones(len(ring))])
    wanted = np.append(target, 1.0)
    even = np.full(len(ring), 1 / len(ring))
    # Equality constraints ten thousand times heavier than the wish for evenness.
    system = np.vstack([constraints * 1e4, np.eye(len(ring))])
    weights = nnls(system, np.concatenate([wanted * 1e4, even]), maxiter=20000)[0]
    row = np.zeros(len(mean))
    row[ring] = weights / weights.sum()
    return row


def _fitted_average(samples: Floats, joints: Floats, mean: Floats, usable: Flags, rng: np.random.Generator) -> Floats:
    """Nonnegative least squares over every second sample, with a price on far vertices."""
    distances = np.linalg.norm(mean - joints.mean(axis=0), axis=1)
    order = np.argsort(np.where(usable, distances, np.inf), kind="stable")[: usable.sum()]
    # The nearest vertices all lie on one side of the limb; a spread of farther ones surrounds the joint.
    farther = rng.permutation(order[_NEAR : _NEAR + _SPREAD_AMONG])[:_SPREAD]
    chosen = np.concatenate([order[:_NEAR], farther])
    coordinates = samples[::2][:, chosen].transpose(0, 2, 1).reshape(-1, len(chosen))
    price = 2e-3 * np.diag(1 + (distances[chosen] / 0.06) ** 2)
    system = np.vstack([coordinates, np.full((1, len(chosen)), 10.0), price])
    wanted = np.concatenate([joints[::2].reshape(-1), [10.0], np.zeros(len(chosen))])
    weights = nnls(system, wanted, maxiter=20000)[0]
    weights[weights < 1e-3] = 0.0
    row = np.zeros(len(mean))
    row[chosen] = weights / weights.sum()
    return row
