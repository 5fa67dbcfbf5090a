"""From MakeHuman's 163 bones to the 55 joints: which bone follows which joint, and where a joint lies."""

from dataclasses import replace

import numpy as np

from ....backend.motion.skeleton import JOINT_INDEX
from .geometry import Floats, Integers
from .source import Source

_SIDES = {"L": "left", "R": "right"}
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")

_LIMB_BONES = {
    "upperleg01": "hip", "lowerleg01": "knee", "foot": "ankle", "clavicle": "collar", "upperarm01": "shoulder",
    "lowerarm01": "elbow", "wrist": "wrist", "eye": "eye_smplhf",
}  # fmt: skip

SPINE_BONES = ("spine05", "spine03", "spine02", "spine01")
"""The bones that stand for pelvis, spine1, spine2, spine3; together they carry all weight of the trunk."""

SPINE_FRACTIONS = (0.22, 0.44, 0.66)
"""Heights of spine1..3 between pelvis and neck. MakeHuman's own joints crowd at the loins. Even steps spread the bend
over lumbar and lower thoracic spine, and leave the upper third rigid, as the rib cage is."""


def _joint_of_bone() -> dict[str, str]:
    """Bones that start a joint's part of the body; every other bone follows its parent's joint."""
    mapping = {"root": "pelvis", "spine03": "spine1", "spine02": "spine2", "spine01": "spine3"}
    mapping |= {"neck01": "neck", "head": "head", "jaw": "jaw"}
    for letter, side in _SIDES.items():
        mapping |= {f"{bone}.{letter}": f"{side}_{joint}" for bone, joint in _LIMB_BONES.items()}
        mapping |= {f"toe{toe}-1.{letter}": f"{side}_foot" for toe in range(1, 6)}
        for number, finger in enumerate(_FINGERS, start=1):
            mapping |= {f"finger{number}-{k}.{letter}": f"{side}_{finger}{k}" for k in (1, 2, 3)}
    # spine04 starts the chain above the pelvis; the breasts hang from the rib cage.
    return mapping | {"spine04": "pelvis", "breast.L": "spine3", "breast.R": "spine3"}


def joints_of_bones(source: Source) -> Integers:
    """(K,) joint that each bone follows."""
    mapping = _joint_of_bone()
    joints: list[int] = []
    for bone, parent in zip(source.bones, source.parents, strict=True):
        joints.append(JOINT_INDEX[mapping[bone]] if bone in mapping else joints[parent])
    return np.array(joints)


def joints_from_bones(source: Source, heads: Floats) -> Floats:
    """Place the 55 joints on a posed rig.

    Args:
        source: names the bones.
        heads: (K, 3) bone heads in the rest pose.

    Returns:
        (55, 3): a joint lies at the head of its first bone, but for pelvis, spine and feet.
    """
    joints = np.empty((len(JOINT_INDEX), 3))
    for bone, joint in reversed(_joint_of_bone().items()):
        joints[JOINT_INDEX[joint]] = heads[source.bone(bone)]
    for letter, side in _SIDES.items():
        toes = [source.bone(f"toe{toe}-1.{letter}") for toe in (1, 2, 3, 4)]
        joints[JOINT_INDEX[f"{side}_foot"]] = heads[toes].mean(axis=0)
    hips = heads[source.bone("upperleg01.L")] + heads[source.bone("upperleg01.R")]
    sacrum = heads[source.bone("spine04")]
    # Above the hips at the height of the sacrum, but not as far back.
    joints[JOINT_INDEX["pelvis"]] = [0.0, sacrum[1], 0.8 * hips[2] / 2 + 0.2 * sacrum[2]]
    _place_spine(joints)
    return joints


def _place_spine(joints: Floats) -> None:
    """Move spine1..3 along the line of MakeHuman's spine to even heights, in place."""
    line = joints[[JOINT_INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3", "neck")]]
    heights = line[0, 1] + np.array(SPINE_FRACTIONS) * (line[-1, 1] - line[0, 1])
    for name, height in zip(("spine1", "spine2", "spine3"), heights, strict=True):
        joints[JOINT_INDEX[name]] = [0.0, height, np.interp(height, line[:, 1], line[:, 2])]


def split_spine_evenly(source: Source, vertices: Floats, joints: Floats) -> Source:
    """Hand the trunk's weight to the spine's joints by height, so that the skin bends where the joints now are.

    Args:
        source: its trunk bones (spine, breasts) are followed by what they carried, regrouped.
        vertices: (V, 3) an average adult in the rest pose.
        joints: (55, 3) of that adult.
    """
    trunk = [i for i, bone in enumerate(source.bones) if bone.startswith(("root", "spine", "breast"))]
    carried = source.weights[:, trunk].sum(axis=1)
    heights = joints[[JOINT_INDEX[name] for name in ("spine1", "spine2", "spine3")], 1]
    steps = [_smooth_step(vertices[:, 1] - height) for height in heights]
    above = [np.ones(len(vertices)), *steps, np.zeros(len(vertices))]
    weights = source.weights.copy()
    weights[:, trunk] = 0.0
    for bone, lower, upper in zip(SPINE_BONES, above[:-1], above[1:], strict=True):
        weights[:, source.bone(bone)] = carried * (lower - upper)
    return replace(source, weights=weights)


def _smooth_step(distance: Floats, half_width: float = 0.07) -> Floats:
    """0 below, 1 above, smooth within 7 cm on both sides of a joint: about one vertebra joint to the next."""
    t = np.clip(0.5 + distance / (2 * half_width), 0.0, 1.0)
    return t * t * (3 - 2 * t)
