"""Plausible finger poses of a right hand: key poses mixed at random, with correlated curls inside the joints' limits.

A pose is described in degrees: for each finger the flexion of its three joints and the spread at the knuckle, for the
thumb how far it opposes the palm, how far it opens away from it, and the flexion of its two outer joints.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import FINGERS, JOINT_INDEX
from .randomness import chance, choice, normal, uniform

_LONG = ("index", "middle", "ring", "pinky")
_STRAIGHT, _RELAXED, _HOOKED, _CURLED = (0, 2, 0), (15, 25, 12), (15, 90, 55), (80, 98, 42)
_FLAT_THUMB, _ASIDE, _ACROSS, _OPPOSED = (0, 0, 0, 0), (-8, 35, -8, -12), (38, 0, 35, 45), (42, 18, 18, 25)

Flexions = tuple[int, int, int]
Thumb = tuple[int, int, int, int]

KEY_POSES: dict[str, tuple[Flexions, Flexions, Flexions, Flexions, int, Thumb]] = {
    # index, middle, ring, pinky: flexion of their joints; spread; thumb: opposition, opening, two flexions
    "open": (_STRAIGHT, _STRAIGHT, _STRAIGHT, _STRAIGHT, 8, _ASIDE),
    "flat": (_STRAIGHT, _STRAIGHT, _STRAIGHT, _STRAIGHT, -3, _FLAT_THUMB),
    "star": ((-8, 0, 0), (-8, 0, 0), (-8, 0, 0), (-8, 0, 0), 16, _ASIDE),
    "relaxed": (_RELAXED, (22, 32, 15), (26, 36, 18), (28, 36, 20), 3, (10, 10, 12, 15)),
    "limp": ((25, 40, 22), (32, 45, 25), (38, 50, 28), (40, 48, 28), 1, (15, 8, 15, 22)),
    "fist": (_CURLED, _CURLED, _CURLED, _CURLED, -2, _ACROSS),
    "fist thumb inside": ((75, 95, 50), (80, 95, 55), _CURLED, _CURLED, -2, (48, -5, 40, 50)),
    "thumbs up": (_CURLED, _CURLED, _CURLED, _CURLED, -2, (-12, 38, -10, -15)),
    "point": (_STRAIGHT, _CURLED, _CURLED, _CURLED, 0, _ACROSS),
    "gun": (_STRAIGHT, _CURLED, _CURLED, _CURLED, 0, _ASIDE),
    "victory": (_STRAIGHT, _STRAIGHT, _CURLED, _CURLED, 12, _ACROSS),
    "two together": (_STRAIGHT, _STRAIGHT, _CURLED, _CURLED, -4, _ACROSS),
    "three": (_STRAIGHT, _STRAIGHT, _STRAIGHT, _CURLED, 10, (45, 5, 25, 40)),
    "four": (_STRAIGHT, _STRAIGHT, _STRAIGHT, _STRAIGHT, 8, (50, -2, 30, 40)),
    "shaka": (_CURLED, _CURLED, _CURLED, _STRAIGHT, 8, _ASIDE),
    "horns": (_STRAIGHT, _CURLED, _CURLED, _STRAIGHT, 6, _ACROSS),
    "pinky": (_CURLED, _CURLED, _CURLED, _STRAIGHT, 4, _ACROSS),
    "ok": ((45, 60, 16), (15, 15, 8), (10, 10, 5), (5, 8, 4), 8, (16, 2, 16, 8)),
    "pinch": ((48, 57, 16), (50, 60, 35), (55, 65, 40), (55, 65, 40), 2, (16, 3, 14, 17)),
    "pinch three": ((46, 55, 16), (50, 50, 18), (60, 70, 45), (62, 70, 45), 0, (26, 0, 10, 20)),
    "pen": ((46, 54, 14), (52, 55, 20), (65, 70, 40), (68, 70, 40), -2, (22, 0, 10, 22)),
    "key": ((55, 75, 40), (65, 85, 45), (72, 90, 50), (75, 90, 50), -2, (15, 5, 10, 15)),
    "cup": ((32, 42, 22), (35, 45, 25), (38, 48, 25), (42, 48, 25), 4, (26, 12, 10, 15)),
    "ball": ((30, 35, 20), (30, 35, 20), (32, 36, 20), (35, 36, 20), 14, (24, 18, 8, 12)),
    "bar": ((62, 78, 40), (65, 80, 42), (68, 82, 42), (70, 80, 42), 0, (24, 4, 22, 35)),
    "hook": (_HOOKED, _HOOKED, _HOOKED, _HOOKED, 0, _FLAT_THUMB),
    "claw": ((-5, 60, 35), (-5, 62, 35), (-5, 62, 35), (-5, 60, 35), 12, (25, 30, 20, 30)),
    "tray": ((-12, 5, 2), (-12, 5, 2), (-12, 6, 2), (-12, 6, 2), 6, (-5, 32, -5, -5)),
    "duck": ((72, 8, 4), (72, 8, 4), (72, 8, 4), (72, 8, 4), 0, (12, 8, 0, 5)),
    "typing": ((28, 38, 18), (30, 42, 20), (30, 42, 20), (28, 40, 20), 6, (18, 18, 5, 12)),
    "phone": ((40, 50, 25), (48, 55, 28), (52, 58, 30), (55, 58, 30), 4, (20, 22, 12, 20)),
}

_LIMITS = ((-20, 95), (-5, 110), (-5, 75))
_SPREAD_SHARE = {"index": 1.0, "middle": 0.1, "ring": -0.7, "pinky": -1.5}
_THUMB_LIMITS = ((-20, 60), (-15, 50), (-20, 55), (-25, 75))


@dataclass(frozen=True)
class HandAxes:
    """Rotation axes of a right hand's joints in the body's rest pose.

    Attributes:
        flexion: (15, 3) positive angles close the hand; joints in the order of the body file.
        spread: (3,) positive angles move a finger towards the thumb.
        opposition: (3,) the axis about which the thumb's base sweeps across the palm.
        opening: (3,) the axis about which it moves away from the palm's side.
    """

    flexion: Tensor
    spread: Tensor
    opposition: Tensor
    opening: Tensor


def hand_axes(body: BodyFile, device: torch.device | str = "cpu") -> HandAxes:
    """Read the axes from the rest joints and, for the thumb, from the shape of its outer bone."""
    joints = torch.from_numpy(body.rest_joints()).float()
    at = {name: joints[JOINT_INDEX[f"right_{name}"]] for name in ("wrist", "index1", "middle1", "pinky1", "thumb1")}
    along = normalize(at["middle1"] - at["wrist"], dim=0)
    across = at["index1"] - at["pinky1"]
    back = normalize(torch.linalg.cross(along, across), dim=0)
    flexion = torch.linalg.cross(back, along).expand(15, 3).clone()
    nail = _thumb_nail(body, joints)
    for k in range(3):
        start, end = (joints[JOINT_INDEX[f"right_thumb{i}"]] for i in (max(k, 1), max(k, 1) + 1))
        flexion[3 * FINGERS.index("thumb") + k] = normalize(torch.linalg.cross(nail, end - start), dim=0)
    opening = torch.linalg.cross(normalize(joints[JOINT_INDEX["right_thumb2"]] - at["thumb1"], dim=0), -along)
    axes = (flexion, back, -along, normalize(opening, dim=0))
    return HandAxes(*(axis.to(device) for axis in axes))


def _thumb_nail(body: BodyFile, joints: Tensor) -> Tensor:
    """(3,) where the thumb's nail faces: its outer bone is flatter than wide, and the nail is on the hand's back."""
    skin = torch.from_numpy(body.v_template)[torch.from_numpy(body.weights)[:, JOINT_INDEX["right_thumb3"]] > 0.8]
    bone = normalize(joints[JOINT_INDEX["right_thumb3"]] - joints[JOINT_INDEX["right_thumb2"]], dim=0)
    around = skin - skin.mean(0)
    around = around - (around @ bone)[:, None] * bone
    thin = torch.linalg.eigh(around.T @ around)[1][:, 1]
    outward = joints[JOINT_INDEX["right_thumb3"]] - joints[JOINT_INDEX["right_pinky1"]]
    nail: Tensor = thin * torch.sign(thin @ outward)
    return nail


def sample_hand_poses(generator: torch.Generator, axes: HandAxes, count: int) -> Tensor:
    """Draw finger poses.

    Half are mixtures of two or three key poses, a third combine the fingers of two, the rest are freely curled; all
    get noise that neighboring fingers share.

    Returns:
        (count, 15, 3, 3) local rotations of the right hand's joints.
    """
    device = generator.device
    table = torch.stack([key_pose(name) for name in KEY_POSES]).to(device)
    picked = table[choice(generator, len(table), count, 3)]
    shares = uniform(generator, 0, 1, count, 3) ** 4 + 1e-4
    shares = shares / shares.sum(1, keepdim=True)
    fingers = (picked * shares[..., None]).sum(1)
    per_finger = chance(generator, 0.5, count, 5).repeat_interleave(5, dim=1)[:, :_LENGTH]
    combined = torch.where(per_finger, picked[:, 0], picked[:, 1])
    kind = uniform(generator, 0, 1, count, 1)
    angles = torch.where(kind < 0.5, fingers, torch.where(kind < 0.8, combined, _free(generator, count)))
    return rotations_from_angles(axes, _clamp(angles + _noise(generator, count)))


_LENGTH = 4 * 4 + 4
"""Angles of a pose: three flexions and a spread for each finger, four angles for the thumb."""


def key_pose(name: str) -> Tensor:
    """(20,) degrees: flexions and spread of index, middle, ring and pinky, then the thumb's four angles."""
    *fingers, spread, thumb = KEY_POSES[name]
    angles = [(*bends, spread * _SPREAD_SHARE[finger]) for finger, bends in zip(_LONG, fingers, strict=True)]
    return torch.tensor([*(angle for finger in angles for angle in finger), *thumb], dtype=torch.float32)


def _free(generator: torch.Generator, count: int) -> Tensor:
    """(count, 20) degrees: each finger curls by its own amount, the outer two joints together, the thumb anywhere."""
    curl = uniform(generator, -0.1, 1, count, 4, 1)
    base = curl + normal(generator, 0.25, count, 4, 1)
    spread = uniform(generator, -3, 14, count, 1, 1) * (1 - curl.clamp(0, 1))
    shares = torch.tensor([_SPREAD_SHARE[name] for name in _LONG], device=generator.device)[:, None]
    fingers = torch.cat([base * 85, curl * 100, curl * 60, spread * shares], dim=2).flatten(1)
    lower, upper = torch.tensor(_THUMB_LIMITS, device=generator.device).float().T
    return torch.cat([fingers, lower + (upper - lower) * uniform(generator, 0, 1, count, 4)], dim=1)


def _noise(generator: torch.Generator, count: int) -> Tensor:
    """(count, 20) degrees: one part that all fingers share, one of each finger, one of each joint."""
    shared = normal(generator, 8, count, 1, 1) + normal(generator, 6, count, 4, 1)
    flexion = shared * torch.tensor([0.6, 1.0, 0.6], device=generator.device) + normal(generator, 4, count, 4, 3)
    fingers = torch.cat([flexion, normal(generator, 2.5, count, 4, 1)], dim=2).flatten(1)
    return torch.cat([fingers, normal(generator, 8, count, 4)], dim=1)


def _clamp(angles: Tensor) -> Tensor:
    """Keep (N, 20) angles inside the joints' limits; bent fingers cannot spread."""
    fingers = angles[:, :16].unflatten(1, (4, 4))
    limits = torch.tensor(_LIMITS, device=angles.device).float()
    flexion = torch.maximum(torch.minimum(fingers[..., :3], limits[:, 1]), limits[:, 0])
    room = 22 * (1 - flexion[..., :1].clamp(0, 90) / 100)
    spread = torch.maximum(torch.minimum(fingers[..., 3:], room), -room)
    lower, upper = torch.tensor(_THUMB_LIMITS, device=angles.device).float().T
    thumb = torch.maximum(torch.minimum(angles[:, 16:], upper), lower)
    return torch.cat([torch.cat([flexion, spread], dim=2).flatten(1), thumb], dim=1)


def rotations_from_angles(axes: HandAxes, degrees: Tensor) -> Tensor:
    """(N, 20) degrees as in `KEY_POSES`, the spread of each finger behind its flexions -> (N, 15, 3, 3)."""
    radians = torch.deg2rad(degrees)
    fingers, thumb = radians[:, :16].unflatten(1, (4, 4)), radians[:, 16:]
    rotations = torch.empty(len(degrees), 15, 3, 3, device=degrees.device)
    for number, name in enumerate(_LONG):
        first = 3 * FINGERS.index(name)
        for k in range(3):
            rotations[:, first + k] = rotation_about(axes.flexion[first + k], fingers[:, number, k])
        rotations[:, first] = rotation_about(axes.spread, fingers[:, number, 3]) @ rotations[:, first]
    base = 3 * FINGERS.index("thumb")
    rotations[:, base] = rotation_about(axes.opposition, thumb[:, 0]) @ rotation_about(axes.opening, thumb[:, 1])
    for k in (1, 2):
        rotations[:, base + k] = rotation_about(axes.flexion[base + k], thumb[:, k + 1])
    return rotations


def rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """(3,) or (N, 3) unit axes and (N,) angles in radians -> (N, 3, 3)."""
    x, y, z = axis.expand(len(angle), 3).unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).unflatten(1, (3, 3))
    sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
    turned: Tensor = torch.eye(3, device=angle.device) + sine * cross + (1 - cosine) * (cross @ cross)
    return turned
