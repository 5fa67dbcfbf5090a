"""Where on the body garments, hair, lips and eyes are, read from the body file itself.

Everything is expressed in the rest pose of the mean shape, so one set serves every shape, pose and expression: the
renderer interpolates rest positions over the posed mesh and paints by them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...backend.motion.body_file import BodyFile
from ...backend.motion.skeleton import JOINT_INDEX
from .rasterizer import rasterize, vertex_normals, visible

REST, NORMAL, ARM, LEG, HAND, HEAD, FOOT, EYE, INNER, SLEEVED = (
    slice(0, 3), slice(3, 6), 6, 7, 8, 9, 10, 11, 12, 13,
)  # fmt: skip
"""Columns of `BodyRegions.attributes`."""


@dataclass(frozen=True, eq=False)
class BodyRegions:
    """Paint coordinates of a body.

    Attributes:
        attributes: (V, 14): rest position (meters), rest normal, arm coordinate (0 shoulder, 1 wrist), leg coordinate
            (0 hip, 1 ankle), then shares 0..1 of hand, head, foot, eyeball, inner surface (mouth, eye sockets), arm.
        faces: (F, 3).
        landmarks: (51, 3) inner face landmarks at rest, in iBUG's order.
        eyes: (2, 3) centers of the left and right eyeball.
        joints: (55, 3) rest joints.
        depth: (55,) distance from each joint to the nearest skin, meters.
    """

    attributes: Tensor
    faces: Tensor
    landmarks: Tensor
    eyes: Tensor
    joints: Tensor
    depth: Tensor

    def faces_of(self, share: Tensor) -> Tensor:
        """The triangles whose three corners lie in a (V,) mask."""
        return self.faces[share[self.faces].all(dim=1)]


def body_regions(body: BodyFile, device: torch.device | str = "cpu") -> BodyRegions:
    """Measure the regions of a body file."""
    vertices = torch.from_numpy(body.v_template)
    weights = torch.from_numpy(body.weights)
    faces = torch.from_numpy(body.faces)
    joints = torch.from_numpy(body.rest_joints()).float()
    landmarks = (
        vertices[faces[torch.from_numpy(body.lmk_faces_idx)]] * torch.from_numpy(body.lmk_bary_coords)[..., None]
    )
    shares = [
        _limb_coordinate(vertices[:, 0].abs(), joints[:, 0], "left_shoulder", "left_wrist"),
        _limb_coordinate(vertices[:, 1], joints[:, 1], "left_hip", "left_ankle"),
        weights[:, [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"], *range(25, 55)]].sum(1),
        weights[:, [JOINT_INDEX["head"], 22, 23, 24]].sum(1),
        weights[:, [JOINT_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot")]].sum(1),
        weights[:, 23:25].sum(1),
        _inner_surface(vertices, faces),
        weights[:, [JOINT_INDEX[f"{s}_{p}"] for s in ("left", "right") for p in ("shoulder", "elbow", "wrist")]].sum(1),
    ]
    normals = vertex_normals(vertices[None], faces)[0]
    attributes = torch.cat([vertices, normals, torch.stack(shares, dim=1)], dim=1)
    eyes = torch.stack([vertices[weights[:, joint] > 0.5].mean(0) for joint in (23, 24)])
    depth = torch.cdist(joints, vertices).amin(1)
    parts = (attributes, faces, landmarks.sum(1), eyes, joints, depth)
    return BodyRegions(*(part.to(device) for part in parts))


def _limb_coordinate(along: Tensor, joints: Tensor, start: str, end: str) -> Tensor:
    first, last = joints[JOINT_INDEX[start]], joints[JOINT_INDEX[end]]
    return ((along - first) / (last - first)).clamp(-1, 2)


def _inner_surface(vertices: Tensor, faces: Tensor, views: int = 16, size: int = 400) -> Tensor:
    """(V,) 1 where a vertex of the head is seen from no side: the mouth's cavity, the eye sockets."""
    head = vertices[:, 1] > vertices[:, 1].max() - 0.26
    inner = head.clone()
    center = vertices[head].mean(0)
    for view in range(views):
        angle, tilt = torch.tensor(2.4 * view), torch.tensor((view + 0.5) / views * 1.6 - 0.8)
        turned = (vertices - center) @ _view(angle, tilt).T
        pixels, depth = turned[:, :2] * (size / 0.32) + size / 2, turned[:, 2] + 2
        near = faces[head[faces].all(1)]
        picture = rasterize(pixels[None], depth[None], near, size, size).depth_image(1, size, size)
        inner &= ~visible(pixels[None], depth[None], picture, 0.0008)[0]
    return inner.float()


def _view(angle: Tensor, tilt: Tensor) -> Tensor:
    """Camera axes (rows) of a viewer who looks at the body from an angle around it and a tilt above it, radians."""
    forward = -torch.stack([angle.sin() * tilt.cos(), tilt.sin(), angle.cos() * tilt.cos()])
    right = torch.stack([angle.cos(), torch.zeros(()), -angle.sin()])
    return torch.stack([right, torch.linalg.cross(forward, right), forward])
