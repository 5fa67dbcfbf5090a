"""Linear blend skinning of a body file, and the faster forward kinematics of its skeleton alone.

The equations are those of SMPL-X (Pavlakos et al. 2019, section 3.1; paper section 3, "human model"). Letters: B batch,
N posed joints, V vertices. Everything is differentiable. Rotations are matrices, relative to the parent joint.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ..motion.body_file import BodyFile
from ..motion.skeleton import PARENTS
from .joints import LANDMARK_VERTICES

JOINTS = len(PARENTS)


class BodyLayer(nn.Module):
    """A body model that turns rotations, betas and expression into a mesh or into points.

    Args:
        body: the loaded file; it is not part of the module's state dict.
    """

    def __init__(self, body: BodyFile) -> None:
        super().__init__()
        template = torch.from_numpy(body.v_template)
        directions = torch.cat([torch.from_numpy(body.shapedirs), torch.from_numpy(body.exprdirs)], dim=2)
        regressor = torch.from_numpy(body.J_regressor).double()
        weights = torch.from_numpy(body.weights)
        landmarks = torch.tensor(list(LANDMARK_VERTICES.values()))
        # Joints and landmarks of the rest pose are affine in betas and expression, as the vertices are.
        joints = (regressor @ template.double()).float()
        joint_directions = torch.einsum("jv,vck->jck", regressor, directions.double()).float()

        self._carriers = {joints_posed: _carriers(joints_posed, weights[landmarks]) for joints_posed in (22, JOINTS)}
        constants = {
            "template": template,
            "directions": directions,
            "posedirs": torch.from_numpy(body.posedirs).flatten(0, 1).T.contiguous(),
            "weights": weights,
            "points": torch.cat([joints, template[landmarks]]),
            "point_directions": torch.cat([joint_directions, directions[landmarks]]),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    template: Tensor
    directions: Tensor
    posedirs: Tensor
    weights: Tensor
    points: Tensor
    point_directions: Tensor

    def forward(self, rotations: Tensor, betas: Tensor, expression: Tensor) -> tuple[Tensor, Tensor]:
        """Pose the mesh.

        Args:
            rotations: (B, 55, 3, 3) local rotations.
            betas: (B, 10).
            expression: (B, 10).

        Returns:
            vertices (B, V, 3) and joints (B, 55, 3), meters, the pelvis at its rest position.
        """
        shape = torch.cat([betas, expression], dim=1)
        rest = self.points[:JOINTS] + torch.einsum("jck,bk->bjc", self.point_directions[:JOINTS], shape)
        joints, global_rotations = forward_kinematics(rotations, rest)

        features = (rotations[:, 1:] - torch.eye(3, dtype=rotations.dtype, device=rotations.device)).flatten(1)
        vertices = self.template + torch.einsum("vck,bk->bvc", self.directions, shape)
        vertices = vertices + (features @ self.posedirs).view_as(vertices)

        shifts = joints - _rotate(global_rotations, rest)
        transforms = torch.cat([global_rotations, shifts.unsqueeze(-1)], dim=-1)
        blended = (self.weights @ transforms.flatten(2)).reshape(*vertices.shape, 4)
        return _rotate(blended[..., :3], vertices) + blended[..., 3], joints

    def skeleton(self, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Pose the skeleton without the mesh.

        Each landmark moves rigidly with the joint that drives its vertex most, which leaves out expressions and the
        few millimeters that skinning and pose correctives add.

        Args:
            rotations: (B, N, 3, 3) local rotations, N = 22 (the body) or 55; joints left out do not bend.
            betas: (B, 10).

        Returns:
            points (B, 76, 3) in meters (see `joints.POINT_NAMES`) and global rotations (B, 55, 3, 3).

        Raises:
            ValueError: if N is neither 22 nor 55.
        """
        posed = rotations.shape[1]
        if posed not in self._carriers:
            raise ValueError(f"rotations have shape {tuple(rotations.shape)}; expected (B, 22, 3, 3) or (B, 55, 3, 3)")
        rest = self.points + torch.einsum("jck,bk->bjc", self.point_directions[..., : betas.shape[1]], betas)
        joints, global_rotations = forward_kinematics(rotations, rest[:, :posed])

        carriers = self._carriers[posed]
        offsets = rest[:, posed:] - rest[:, carriers[posed:]]
        carried = joints[:, carriers[posed:]] + _rotate(global_rotations[:, carriers[posed:]], offsets)
        return torch.cat([joints, carried], dim=1), global_rotations[:, carriers[:JOINTS]]


def forward_kinematics(rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Pose the first N joints of the tree, all joints of one depth at a time.

    Args:
        rotations: (B, N, 3, 3) local rotations.
        rest: (B, N, 3) rest positions, meters.

    Returns:
        joints (B, N, 3), the pelvis at its rest position, and global rotations (B, N, 3, 3).
    """
    levels = _levels(rotations.shape[1])
    turned, placed = [rotations[:, :1]], [rest[:, :1]]
    for above, level in pairwise(levels):
        parents = [PARENTS[joint] for joint in level]
        columns = [above.index(parent) for parent in parents]
        carrying = turned[-1][:, columns]
        placed.append(placed[-1][:, columns] + _rotate(carrying, rest[:, level] - rest[:, parents]))
        turned.append(carrying @ rotations[:, level])
    order = [joint for level in levels for joint in level]
    back = sorted(range(len(order)), key=order.__getitem__)
    return torch.cat(placed, dim=1)[:, back], torch.cat(turned, dim=1)[:, back]


def _levels(count: int) -> list[list[int]]:
    """Joints by their depth in the tree; the parents of one level all stand in the level before."""
    depths = [0] * count
    for joint in range(1, count):
        depths[joint] = depths[PARENTS[joint]] + 1
    return [[j for j in range(count) if depths[j] == depth] for depth in range(max(depths) + 1)]


def _carriers(posed: int, landmark_weights: Tensor) -> list[int]:
    """For each of the 76 points the posed joint with which it moves rigidly; a posed joint carries itself."""
    carriers: list[int] = []
    for joint in [*range(JOINTS), *_main_joints(landmark_weights)]:
        while joint >= posed:
            joint = PARENTS[joint]
        carriers.append(joint)
    return carriers


def _main_joints(weights: Tensor) -> list[int]:
    main: list[int] = weights.argmax(dim=1).tolist()
    return main


def _rotate(matrices: Tensor, vectors: Tensor) -> Tensor:
    """(..., 3, 3) times (..., 3)."""
    return (matrices @ vectors.unsqueeze(-1)).squeeze(-1)
