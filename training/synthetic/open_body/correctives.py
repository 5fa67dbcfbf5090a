"""Pose correctives: what linear blend skinning with 55 joints loses against MakeHuman's finer rig.

For each joint, many rotations of it alone are posed twice: by dual quaternion skinning of the 163 bones, where twists
run along the limb, and by the plain 55-joint blend. The difference, taken back into the rest pose, is fitted as a
linear function of the joint's rotation matrix minus identity, which is what the file layout can hold.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ....backend.motion.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS
from .geometry import Flags, Floats, Integers, about, dual_quaternion_skinning, twist_about
from .source import MIRROR, Source

_RANDOM_ROTATIONS = 48
_RIDGE = 0.3
_LARGEST = 0.08
_NEGLIGIBLE = 2e-5

_LIMITS = {
    "shoulder": 100, "hip": 100, "knee": 120, "elbow": 130, "wrist": 80, "collar": 30, "neck": 45, "head": 45,
    "spine": 40, "ankle": 45, "foot": 45, "jaw": 30, "eye": 30,
}  # fmt: skip
_OTHER_LIMIT = 90
"""Degrees up to which a joint is turned about random axes."""

_FLEXIONS = {
    "shoulder": ((0, 0, -1), 30, 85), "elbow": ((0, -1, 0), 20, 135), "knee": ((1, 0, 0), 20, 135),
    "hip": ((-1, 0, 0), 30, 120), "wrist": ((1, 0, 0), -100, 100), "index": ((0, 0, -1), 10, 95),
    "middle": ((0, 0, -1), 10, 95), "ring": ((0, 0, -1), 10, 95), "pinky": ((0, 0, -1), 10, 95),
}  # fmt: skip
"""Everyday bends of left joints (axis, from, to in degrees), which count more than rotations about random axes."""

_SHARES = {
    "shoulder01.L": ("left_shoulder", 0.0, 0.25), "upperarm01.L": ("left_shoulder", 0.35, 1.0),
    "lowerarm01.L": ("left_wrist", 0.2, 0.0), "lowerarm02.L": ("left_wrist", 0.6, 0.0),
    "pelvis.L": ("left_hip", 0.0, 0.15), "upperleg01.L": ("left_hip", 0.5, 0.9),
    "neck01": ("neck", 0.5, 0.7), "neck02": ("head", 0.35, 0.2), "neck03": ("head", 0.7, 0.5),
}  # fmt: skip
"""Bones that follow a joint only in part: (joint, share of its twist, share of its swing)."""


@dataclass(frozen=True)
class RestBody:
    """One body in the rest pose and how it came there."""

    sculpted: Floats
    """(V, 3) vertices before."""
    vertices: Floats
    """(V, 3) vertices in the rest pose."""
    joints: Floats
    """(55, 3)."""
    rotations: Floats
    """(K, 3, 3) of the bones, from sculpted to rest pose."""
    translations: Floats
    """(K, 3)."""


def fit_correctives(source: Source, body: RestBody, weights: Floats, followed: Integers) -> Floats:
    """Fit the correctives of all joints but the pelvis.

    Args:
        source: bones, their weights, and the mirror.
        body: an average adult.
        weights: (V, 55) skinning weights.
        followed: (K,) joint that each bone follows.

    Returns:
        (V, 3, 486) meters per entry of (rotation - identity).
    """
    fitted = np.zeros((len(weights), 3, 54, 3, 3))
    for joint, name in enumerate(JOINT_NAMES[1:], start=1):
        if name.startswith("right_"):
            left = fitted[:, :, JOINT_INDEX[name.replace("right_", "left_")] - 1]
            fitted[:, :, joint - 1] = _mirrored(left, source.mirror)
            continue
        directions = _fit_joint(source, body, weights, followed, joint)
        if not name.startswith("left_"):
            directions = (directions + _mirrored(directions, source.mirror)) / 2
        fitted[:, :, joint - 1] = directions
    fitted[np.abs(fitted) < _NEGLIGIBLE] = 0.0
    return fitted.reshape(len(weights), 3, 486)


def _fit_joint(source: Source, body: RestBody, weights: Floats, followed: Integers, joint: int) -> Floats:
    """(V, 3, 3, 3) ridge regression of one joint's differences on its rotation matrix minus identity."""
    below = _subtree(joint)
    share = weights[:, below].sum(axis=1)
    partial = [source.bone(bone) for bone, (name, _, _) in _SHARES.items() if name == JOINT_NAMES[joint]]
    blended = ((share > 1e-4) & (share < 1 - 1e-4)) | (source.weights[:, partial].sum(axis=1) > 1e-3)
    skin = np.nonzero(blended)[0]
    moved = np.isin(followed, below)

    rotations = _rotations(joint)
    targets = []
    for rotation in rotations:
        reference = _finer_pose(source, body, joint, rotation, moved, skin)
        targets.append(_offset_at_rest(reference, body.vertices[skin], rotation, body.joints[joint], share[skin]))
    features = (rotations - np.eye(3)).reshape(len(rotations), 9)
    wanted = np.clip(targets, -_LARGEST, _LARGEST).reshape(len(rotations), -1)
    solution = np.linalg.solve(features.T @ features + _RIDGE * np.eye(9), features.T @ wanted)

    directions = np.zeros((len(weights), 3, 3, 3))
    directions[skin] = solution.T.reshape(len(skin), 3, 3, 3)
    return directions


def _finer_pose(source: Source, body: RestBody, joint: int, rotation: Floats, moved: Flags, skin: Integers) -> Floats:
    """Pose some vertices with the 163 bones: those below the joint follow it, some near it in part."""
    center, axis = body.joints[joint], _twist_axis(joint, body.joints)
    turns = np.where(moved[:, None, None], rotation, np.eye(3))
    shifts = np.where(moved[:, None], center - rotation @ center, 0.0)
    twist = Rotation.from_rotvec(axis * twist_about(rotation, axis))
    swing = Rotation.from_matrix(rotation) * twist.inv()
    for bone, (name, twist_share, swing_share) in _SHARES.items():
        if name == JOINT_NAMES[joint]:
            part = Rotation.from_rotvec(swing.as_rotvec() * swing_share)
            part = part * Rotation.from_rotvec(twist.as_rotvec() * twist_share)
            index = source.bone(bone)
            turns[index], shifts[index] = about(part.as_matrix(), center)
    composed = np.einsum("kij,kj->ki", turns, body.translations) + shifts
    return dual_quaternion_skinning(turns @ body.rotations, composed, body.sculpted[skin], source.weights[skin])


def _offset_at_rest(reference: Floats, rest: Floats, rotation: Floats, center: Floats, share: Floats) -> Floats:
    """Offset of rest vertices (V, 3) after which the 55-joint blend would meet the reference (V, 3).

    A vertex follows the turned joint with its `share` (V,) and stays with the rest of the body otherwise.
    """
    blend = np.eye(3) + share[:, None, None] * (rotation - np.eye(3))
    posed = center + np.einsum("vij,vj->vi", blend, rest - center)
    # A half turn blended evenly with no turn has no inverse; the small addition keeps the solution finite.
    return np.linalg.solve(blend + 1e-3 * np.eye(3), (reference - posed)[:, :, None])[:, :, 0]


def _rotations(joint: int) -> Floats:
    """(N, 3, 3) random rotations of a joint and its everyday bends, the same in every run."""
    name = JOINT_NAMES[joint].removeprefix("left_")
    rng = np.random.default_rng(joint)
    limit = next((degrees for part, degrees in _LIMITS.items() if name.startswith(part)), _OTHER_LIMIT)
    axes = rng.normal(size=(_RANDOM_ROTATIONS, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    vectors = [axes * np.radians(limit) * rng.uniform(0.1, 1, (_RANDOM_ROTATIONS, 1))]
    for part, (axis, start, end) in _FLEXIONS.items():
        if name.startswith(part):
            vectors += [np.radians(np.linspace(start, end, 12))[:, None] * np.array(axis)] * 2
    return np.asarray(Rotation.from_rotvec(np.concatenate(vectors)).as_matrix())


def _twist_axis(joint: int, joints: Floats) -> Floats:
    """Along the limb: toward the next joint, or from the one before where the joint ends a chain or branches."""
    children = [child for child, parent in enumerate(PARENTS) if parent == joint]
    ends = not children or JOINT_NAMES[joint].endswith(("wrist", "head"))
    axis = joints[joint] - joints[PARENTS[joint]] if ends else joints[children[0]] - joints[joint]
    return np.asarray(axis / np.linalg.norm(axis))


def _subtree(joint: int) -> list[int]:
    below = [joint]
    for child, parent in enumerate(PARENTS):
        if parent in below:
            below.append(child)
    return below


def _mirrored(directions: Floats, mirror: Integers) -> Floats:
    """(V, 3, 3, 3) of one joint -> those of its mirror image: each x index of the three changes the sign."""
    signs = MIRROR[:, None, None] * MIRROR[:, None] * MIRROR
    return np.asarray(directions[mirror] * signs)
