"""What people wear beyond painted skin: skirts and hanging shirts, long hair, buns and pony tails, glasses.

All of it is one mesh whose resting shape differs from person to person while its triangles stay the same, so a batch
is posed and drawn with the body at once. The vertices of what somebody does not wear are NaN, and nothing is drawn.
"""

import math

import torch
from torch import Tensor

from ...backend.body.layer import BodyLayer, forward_kinematics
from ...backend.motion.skeleton import JOINT_COUNT, JOINT_INDEX
from .glasses import FRAME_RIMS, glasses
from .meshes import grid, joined, sphere, two_sided
from .outfits import Outfit
from .regions import ARM, HAND, HEAD, SLEEVED, BodyRegions

ROWS, COLUMNS, STRANDS = 14, 40, 24
BINS = 40
CLOTH, HAIR, FRAME, LENS = 1, 2, 3, 4
"""What a triangle shows; 0 is the body."""


class Wardrobe:
    """Poses what people wear on one body model.

    Args:
        layer: of the body.
        regions: of the body.
    """

    def __init__(self, layer: BodyLayer, regions: BodyRegions) -> None:
        self._layer, self._joints, self._eyes = layer, regions.joints, regions.eyes
        device, attributes = regions.joints.device, regions.attributes
        skirt, hair = grid(ROWS, COLUMNS, closed=True), grid(ROWS, STRANDS, closed=False)
        self._glasses, rims = glasses(regions.eyes, regions.landmarks), FRAME_RIMS
        parts = [two_sided(skirt), two_sided(hair), sphere(8, 12), self._glasses]
        self._sphere = parts[2].vertices.to(device)
        kinds = [CLOTH, HAIR, HAIR, FRAME]
        mesh, owner = joined(parts)
        kind = torch.tensor(kinds)[owner]
        kind[len(kind) - len(self._glasses.faces) + rims :] = LENS
        self.faces, self.kinds = mesh.faces.to(device), kind.to(device)
        trunk = (attributes[:, SLEEVED] < 0.5) & (attributes[:, HAND] < 0.5) & (attributes[:, HEAD] < 0.5)
        heights = attributes[:, 1]
        self._low, self._high = regions.joints[JOINT_INDEX["left_ankle"], 1], regions.joints[JOINT_INDEX["spine3"], 1]
        trunk &= (heights > self._low) & (heights < self._high)
        self._trunk = trunk.nonzero(as_tuple=True)[0]
        place = (self._high - heights[self._trunk]) / (self._high - self._low)
        self._bins = (place * BINS).long().clamp(0, BINS - 1)
        head = attributes[attributes[:, HEAD] > 0.7, :3]
        self._head = torch.stack([head[:, 0].max(), head[:, 2].min(), regions.eyes[0, 1], regions.eyes[0, 2]])
        self._back = attributes[(attributes[:, ARM] < 0.3) & (attributes[:, HEAD] < 0.5), :3][:, 2].min()

    def pose(self, outfit: Outfit, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 55, 3, 3) and (B, 10) -> posed vertices (B, W, 3) in the body's axes, and the same at rest.

        Vertices of what is not worn are NaN; the rasterizer leaves their triangles out.
        """
        layer = self._layer
        rest_joints = layer.points[:JOINT_COUNT] + torch.einsum(
            "jck,bk->bjc", layer.point_directions[:JOINT_COUNT, :, : betas.shape[1]], betas
        )
        joints, turns = forward_kinematics(rotations, rest_joints)
        moved = rest_joints[:, JOINT_INDEX["head"]] - self._joints[JOINT_INDEX["head"]]
        skirt, skirt_weights = self._skirt(outfit, betas)
        hair, hair_weights = self._long_hair(outfit, moved)
        tail = self._tail(outfit) + moved[:, None]
        glasses = self._glasses.vertices.to(moved.device) + moved[:, None]
        stiff = torch.zeros(len(moved), tail.shape[1] + glasses.shape[1], JOINT_COUNT, device=moved.device)
        stiff[..., JOINT_INDEX["head"]] = 1
        rest = torch.cat([skirt, skirt, hair, hair, tail, glasses], dim=1)
        weights = torch.cat([skirt_weights, skirt_weights, hair_weights, hair_weights, stiff], dim=1)
        shifts = joints - (turns @ rest_joints[..., None])[..., 0]
        blended = (weights @ torch.cat([turns, shifts[..., None]], dim=-1).flatten(2)).unflatten(2, (3, 4))
        posed = (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]
        worn = [outfit.skirt | outfit.shirt, outfit.long_hair, outfit.tail, outfit.glasses]
        sizes = [2 * skirt.shape[1], 2 * hair.shape[1], tail.shape[1], glasses.shape[1]]
        shown = torch.cat([w[:, None].expand(-1, n) for w, n in zip(worn, sizes, strict=True)], dim=1)
        lens = torch.arange(shown.shape[1], device=shown.device) >= shown.shape[1] - self._lens_vertices()
        shown = shown & (~lens | outfit.dark[:, None])
        return torch.where(shown[..., None], posed, torch.nan), rest

    def _lens_vertices(self) -> int:
        return len(self._glasses.vertices) - int(self._glasses.faces[:FRAME_RIMS].max()) - 1

    def _skirt(self, outfit: Outfit, betas: Tensor) -> tuple[Tensor, Tensor]:
        """(B, ROWS * COLUMNS, 3) at rest and (B, ROWS * COLUMNS, 55) weights."""
        batch, device = len(betas), betas.device
        wide, front, back, height = self._sections(betas)
        share = torch.linspace(0, 1, ROWS, device=device)
        level = outfit.hem[:, :1] + share * (outfit.hem[:, 1:] - outfit.hem[:, :1])
        place = ((self._high - level) / (self._high - self._low) * BINS - 0.5).clamp(0, BINS - 1.001)
        start, part = place.long(), place.frac()

        def at(values: Tensor) -> Tensor:
            return torch.lerp(values.gather(1, start), values.gather(1, start + 1), part)

        flare, depth, number = outfit.flare[:, :, None].unbind(1)
        angle = torch.linspace(0, 2 * math.pi, COLUMNS + 1, device=device)[:-1]
        growth = (1 + flare * share)[..., None] * (
            1 + (depth * share)[..., None] * torch.cos(number[..., None] * angle)
        )
        # Tight at its upper edge, and never narrower than what it falls over.
        clearance = outfit.clearance[:, None] * (0.4 + 0.6 * _smooth(share * 3))
        wide, front, back = at(wide).cummax(1)[0], at(front).cummax(1)[0], at(back).cummin(1)[0]
        half_x = (wide + clearance)[..., None] * growth
        half_z = ((front - back) / 2 + clearance)[..., None] * growth
        corner = torch.cos(angle).sign() * torch.cos(angle).abs() ** 0.85
        side = torch.sin(angle).sign() * torch.sin(angle).abs() ** 0.85
        x, z = half_x * corner, ((front + back) / 2)[..., None] + half_z * side
        ring = torch.stack([x, at(height)[..., None].expand_as(x), z], dim=-1)
        return ring.flatten(1, 2), self._skirt_weights(level, x).flatten(1, 2).view(batch, -1, JOINT_COUNT)

    def _sections(self, betas: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, BINS) half width, front, back and height of trunk and legs from the chest down."""
        layer = self._layer
        shaped = layer.template[self._trunk] + torch.einsum(
            "vck,bk->bvc", layer.directions[self._trunk, :, : betas.shape[1]], betas
        )
        bins = self._bins.expand(len(betas), -1)
        empty = torch.zeros(len(betas), BINS, device=betas.device)
        wide = empty.scatter_reduce(1, bins, shaped[..., 0].abs(), "amax")
        front = (empty - 1).scatter_reduce(1, bins, shaped[..., 2], "amax")
        back = (empty + 1).scatter_reduce(1, bins, shaped[..., 2], "amin")
        height = empty.scatter_reduce(1, bins, shaped[..., 1], "mean", include_self=False)
        return wide, front, back, height

    def _skirt_weights(self, level: Tensor, x: Tensor) -> Tensor:
        """(B, R) heights and (B, R, C) sideways places -> (B, R, C, 55): with the pelvis, lower with both thighs."""
        at = {name: self._joints[JOINT_INDEX[name], 1] for name in ("pelvis", "left_hip", "left_knee")}
        legs = _smooth((at["left_hip"] + 0.04 - level) / 0.18)[..., None]
        shanks = 0.6 * _smooth((at["left_knee"] + 0.03 - level) / 0.15)[..., None]
        chest = _smooth((level - at["pelvis"] - 0.02) / 0.14)[..., None]
        left = torch.sigmoid(x / 0.05)
        weights = torch.zeros(*x.shape, JOINT_COUNT, device=x.device)
        weights[..., JOINT_INDEX["pelvis"]] = (1 - legs) * (1 - chest)
        weights[..., JOINT_INDEX["spine1"]] = (1 - legs) * chest
        for side, share in (("left", left), ("right", 1 - left)):
            weights[..., JOINT_INDEX[f"{side}_hip"]] = legs * share * (1 - shanks)
            weights[..., JOINT_INDEX[f"{side}_knee"]] = legs * share * shanks
        return weights

    def _long_hair(self, outfit: Outfit, moved: Tensor) -> tuple[Tensor, Tensor]:
        """(B, ROWS * STRANDS, 3) at rest, a sheet around the back of head and neck, and weights."""
        wide, back, eye, _ = self._head
        length, thick = outfit.hair[:, :, None].unbind(1)
        share = torch.linspace(0, 1, ROWS, device=moved.device)
        middle = back + 0.1
        down = eye + 0.055 - share * (length + 0.055)
        round_top = (1 - ((down - eye + 0.01) / 0.075).clamp(0, 1) ** 2).clamp_min(0.1).sqrt()
        half_x = (wide + thick) * round_top * (1 + 0.15 * share)
        half_z = (0.1 + thick) * round_top
        fall = _smooth((eye - 0.12 - down) / 0.15)
        half_z = torch.lerp(half_z, torch.maximum(half_z, middle - self._back + 0.012), fall)
        angle = torch.linspace(-1.95, 1.95, STRANDS, device=moved.device)
        waves = 1 + 0.03 * torch.sin(11 * angle + 3 * share[:, None])
        x = half_x[..., None] * torch.sin(angle) * waves
        z = middle - half_z[..., None] * torch.cos(angle) * waves
        sheet = torch.stack([x, down[..., None].expand_as(x), z], dim=-1) + moved[:, None, None]
        neck = _smooth((eye - 0.08 - down) / 0.1) * 0.5
        weights = torch.zeros(*x.shape, JOINT_COUNT, device=x.device)
        weights[..., JOINT_INDEX["head"]] = (1 - neck - 0.4 * fall)[..., None]
        weights[..., JOINT_INDEX["neck"]] = neck[..., None]
        weights[..., JOINT_INDEX["spine3"]] = 0.4 * fall[..., None]
        return sheet.flatten(1, 2), weights.flatten(1, 2)

    def _tail(self, outfit: Outfit) -> Tensor:
        """(B, N, 3) a bun or a pony tail at the back of the head."""
        _, back, eye, _ = self._head
        size = outfit.tail_size
        center = torch.stack([size[:, 0] * 0, eye + 0.05 - 0.7 * size[:, 1], back - 0.6 * size[:, 2]], dim=1)
        return center[:, None] + self._sphere * size[:, None]


def _smooth(share: Tensor) -> Tensor:
    share = share.clamp(0, 1)
    return share * share * (3 - 2 * share)
