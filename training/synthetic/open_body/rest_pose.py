"""Bring a sculpted body into the rest pose: palms down, arms a little below the horizontal, feet slightly apart.

The file layout's motion data are relative to a relaxed T-pose, not to a strict one: the same rotations on a strict T
put the upper arms 10 to 18 degrees off. The angles here are rounded and set by hand.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from .geometry import Floats, aligning, dual_quaternion_skinning, frame, twist_about
from .rig import joints_from_bones
from .source import Source

PELVIS = np.array([0.0, -0.35, 0.0])
"""Where every body's pelvis rests: a rounded convention of the file layout."""

_UPPER_ARM_DOWN, _UPPER_ARM_BACK, _FOREARM_UP = np.radians([12, 8, 4])
_THIGH_OUT, _SHANK_IN = np.radians([8, 5])
_CLAVICLE_UP, _FOOT_OUT = np.radians([8, 5])
_FINGER_SPREAD = {2: 6, 3: 0, 4: -5, 5: -11}
_FOREARM_TWIST = 0.35
_LOWER_FOREARM_TWIST = 0.40
"""Shares of the hand's turn that elbow and middle of the forearm take, so that no section of the skin wrings."""


def _arm(down: float, back: float) -> Floats:
    return np.array([np.cos(down) * np.cos(back), -np.sin(down), -np.cos(down) * np.sin(back)])


def _leg(out: float) -> Floats:
    return np.array([np.sin(out), -np.cos(out), 0.0])


def _pointing_rules() -> dict[str, tuple[str | None, Floats]]:
    """Left bone -> bone whose head it points at (None: its own tail), direction in the rest pose."""
    rules: dict[str, tuple[str | None, Floats]] = {
        "upperleg01": ("lowerleg01", _leg(_THIGH_OUT)),
        "lowerleg01": ("foot", _leg(-_SHANK_IN)),
        "upperarm01": ("lowerarm01", _arm(_UPPER_ARM_DOWN, _UPPER_ARM_BACK)),
        "lowerarm01": ("wrist", _arm(-_FOREARM_UP, 0.0)),
    }
    for finger, degrees in _FINGER_SPREAD.items():
        direction = np.array([np.cos(np.radians(degrees)), -0.04, np.sin(np.radians(degrees))])
        for k in (1, 2, 3):
            rules[f"finger{finger}-{k}"] = (f"finger{finger}-{k + 1}" if k < 3 else None, direction)
    return rules


_POINTING = _pointing_rules()
_TURNING: dict[str, Floats] = {
    "clavicle": Rotation.from_rotvec([0, 0, _CLAVICLE_UP]).as_matrix(),
    "foot": Rotation.from_rotvec([0, _FOOT_OUT, 0]).as_matrix(),
}


def rest_transforms(source: Source, heads: Floats, tails: Floats) -> tuple[Floats, Floats, Floats]:
    """The rigid motion of each bone from the sculpted pose into the rest pose.

    Args:
        source: names and orders the bones.
        heads: (K, 3) bone heads of this body as sculpted.
        tails: (K, 3).

    Returns:
        rotations (K, 3, 3), translations (K, 3), and the bone heads (K, 3) in the rest pose.
    """
    rotations, placed = np.empty((len(heads), 3, 3)), np.empty_like(heads)
    for bone, (name, parent) in enumerate(zip(source.bones, source.parents, strict=True)):
        inherited = rotations[parent] if parent >= 0 else np.eye(3)
        offset = inherited @ (heads[bone] - heads[parent]) if parent >= 0 else heads[bone]
        placed[bone] = offset + (placed[parent] if parent >= 0 else 0.0)
        if name.endswith(".R"):
            rotations[bone] = _mirrored(rotations[source.bone(name[:-2] + ".L")])
        else:
            rotations[bone] = _left_rotation(source, bone, inherited, heads, tails)
    translations = placed - np.einsum("kij,kj->ki", rotations, heads)
    return rotations, translations, placed


def into_rest_pose(source: Source, coefficients: Floats) -> tuple[Floats, Floats]:
    """One body shape -> vertices (V, 3) and joints (55, 3) in the rest pose, the pelvis at `PELVIS`."""
    vertices, heads, tails = source.shaped(coefficients)
    rotations, translations, placed = rest_transforms(source, heads, tails)
    posed = dual_quaternion_skinning(rotations, translations, vertices, source.weights)
    joints = joints_from_bones(source, placed)
    shift = PELVIS - joints[0]
    return posed + shift, joints + shift


def _left_rotation(source: Source, bone: int, inherited: Floats, heads: Floats, tails: Floats) -> Floats:
    name = source.bones[bone].removesuffix(".L")
    if name in _TURNING:
        return _TURNING[name]
    if name == "wrist":
        return _hand_rotation(source, heads)
    if name == "lowerarm02":
        return _twisted(inherited, _hand_rotation(source, heads), _LOWER_FOREARM_TWIST / (1 - _FOREARM_TWIST))
    if name not in _POINTING:
        return inherited
    target, direction = _POINTING[name]
    end = tails[bone] if target is None else heads[source.bone(f"{target}.L")]
    pointed = aligning(inherited @ (end - heads[bone]), direction) @ inherited
    return _twisted(pointed, _hand_rotation(source, heads), _FOREARM_TWIST) if name == "lowerarm01" else pointed


def _hand_rotation(source: Source, heads: Floats) -> Floats:
    """Takes the sculpted left hand along +x with its back up."""
    wrist, middle, index, pinky = (
        heads[source.bone(f"{name}.L")] for name in ("wrist", "finger3-1", "finger2-1", "finger5-1")
    )
    sculpted = frame(middle - wrist, up=np.cross(index - pinky, middle - wrist))
    return np.asarray(frame(np.array([1.0, 0.0, 0.0]), up=np.array([0.0, 1.0, 0.0])) @ sculpted.T)


def _twisted(forearm: Floats, hand: Floats, share: float) -> Floats:
    """Turn the forearm about itself by a share of what still separates it from the hand."""
    axis = _POINTING["lowerarm01"][1]
    angle = twist_about(hand @ forearm.T, axis)
    return np.asarray(Rotation.from_rotvec(axis * angle * share).as_matrix() @ forearm)


def _mirrored(rotation: Floats) -> Floats:
    flip = np.diag([-1.0, 1.0, 1.0])
    return np.asarray(flip @ rotation @ flip)
