"""Small triangle meshes that other shapes are made of. Triangles run counter-clockwise seen from outside."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices (V, 3) and triangles (F, 3)."""

    vertices: Tensor
    faces: Tensor


def grid(rows: int, columns: int, *, closed: bool) -> Mesh:
    """A sheet of (rows * columns) vertices in rows from top to bottom; closed ones join their last column to the first.

    Seen from above, columns of a closed sheet run from x to z; then its outside is drawn.
    """
    first = torch.arange((rows - 1) * columns).view(rows - 1, columns)
    if not closed:
        first = first[:, :-1]
    right = torch.where(first % columns == columns - 1, first + 1 - columns, first + 1)
    quads = torch.stack([first, right, right + columns, first + columns], dim=-1).flatten(0, 1)
    faces = torch.cat([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return Mesh(torch.zeros(rows * columns, 3), faces)


def two_sided(mesh: Mesh) -> Mesh:
    """The mesh and a copy that is seen from the other side."""
    return Mesh(mesh.vertices.repeat(2, 1), torch.cat([mesh.faces, mesh.faces.flip(1) + len(mesh.vertices)]))


def sphere(rows: int, columns: int) -> Mesh:
    """Of radius 1; its poles are rows of vertices at one place."""
    polar = torch.linspace(0, math.pi, rows)[:, None]
    around = torch.arange(columns) * (2 * math.pi / columns)
    x, z = polar.sin() * around.cos(), polar.sin() * around.sin()
    vertices = torch.stack([x, polar.cos().expand_as(x), z], dim=-1).flatten(0, 1)
    return Mesh(vertices, grid(rows, columns, closed=True).faces)


def tube(line: Tensor, radius: float, *, closed: bool) -> Mesh:
    """(N, 3) a bent line -> a square tube around it."""
    ahead, behind = line.roll(-1, 0), line.roll(1, 0)
    if not closed:
        ahead[-1], behind[0] = line[-1], line[0]
    along = torch.nn.functional.normalize(ahead - behind, dim=1)
    across = torch.nn.functional.normalize(torch.linalg.cross(along, torch.tensor([[0.3, 1.0, 0.2]]).expand_as(along)))
    up = torch.linalg.cross(across, along)
    corners = torch.stack([across + up, up - across, -across - up, across - up], dim=1) * radius
    vertices = line[:, None] + corners
    sheet = grid(len(line) + closed, 4, closed=True).faces % (4 * len(line))
    mesh = Mesh(vertices.flatten(0, 1), sheet)
    return mesh if _outward(mesh, line) else Mesh(mesh.vertices, mesh.faces.flip(1))


def disk(ring: Tensor) -> Mesh:
    """(N, 3) points around an opening -> the triangles that close it."""
    count = len(ring)
    around = torch.arange(count)
    faces = torch.stack([torch.full((count,), count), around, (around + 1) % count], dim=1)
    return Mesh(torch.cat([ring, ring.mean(0, keepdim=True)]), faces)


def joined(meshes: list[Mesh]) -> tuple[Mesh, Tensor]:
    """Several meshes as one, and (F,) which of them each triangle is from."""
    starts = torch.tensor([0, *(len(mesh.vertices) for mesh in meshes[:-1])]).cumsum(0)
    faces = torch.cat([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)])
    owner = torch.cat([torch.full((len(mesh.faces),), number) for number, mesh in enumerate(meshes)])
    return Mesh(torch.cat([mesh.vertices for mesh in meshes]), faces), owner


def _outward(mesh: Mesh, line: Tensor) -> bool:
    a, b, c = mesh.vertices[mesh.faces[0]]
    return bool(torch.linalg.cross(b - a, c - a) @ ((a + b + c) / 3 - line[:2].mean(0)) > 0)
