"""A z-buffer for triangle meshes in plain PyTorch: exact coverage at pixel centers, batched, on any device.

Triangles are grouped by the size of their bounding box; every pixel center of a group's square is tested against its
triangle, those larger than a tile by tile, and `scatter_reduce(amin)` on depth and triangle number keeps the nearest.
The minimum does not depend on order, so a rendering is the same in every run. Pixel (column, row) has its center at
(column + 0.5, row + 0.5).
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

_TRIANGLE_BITS = 24
_EMPTY = 1 << 62
_NEAR = 0.05
_TESTS_AT_ONCE = 4_000_000
_TILE = 8
"""Side of the largest square of pixels that is tested as a whole."""


@dataclass(frozen=True)
class Fragments:
    """The N covered pixels of a batch of images.

    Attributes:
        image: (N,) index in the batch.
        row: (N,) pixel row.
        column: (N,) pixel column.
        triangle: (N,) index of the nearest triangle that faces the camera.
        weights: (N, 3) perspective-correct weights of its corners, sum 1.
        depth: (N,) distance along the camera's axis, meters.
    """

    image: Tensor
    row: Tensor
    column: Tensor
    triangle: Tensor
    weights: Tensor
    depth: Tensor

    def pick(self, index: Tensor) -> "Fragments":
        """The fragments of an index or mask."""
        rows = index.nonzero()[:, 0] if index.dtype == torch.bool else index
        return Fragments(*(getattr(self, field.name).index_select(0, rows) for field in fields(self)))

    def interpolate(self, attributes: Tensor, faces: Tensor) -> Tensor:
        """(B, V, C) or (V, C) vertex attributes -> (N, C) values at the pixels."""
        corners = faces.index_select(0, self.triangle)
        if attributes.dim() == 3:
            corners = corners + self.image[:, None] * attributes.shape[1]
        values = attributes.flatten(0, -2).index_select(0, corners.flatten()).unflatten(0, (-1, 3))
        result: Tensor = (values * self.weights[..., None]).sum(1)
        return result

    def paint(self, values: Tensor, canvas: Tensor) -> Tensor:
        """A copy of the (B, H, W, C) canvas with the (N, C) values at the pixels."""
        return canvas.index_put((self.image, self.row, self.column), values)

    def depth_image(self, batch: int, height: int, width: int) -> Tensor:
        """(B, H, W) depth in meters, infinite where nothing was drawn."""
        canvas = torch.full((batch, height, width, 1), torch.inf, device=self.depth.device)
        return self.paint(self.depth[:, None], canvas)[..., 0]


def rasterize(pixels: Tensor, depth: Tensor, faces: Tensor, height: int, width: int) -> Fragments:
    """Find the nearest triangle at every pixel center.

    Triangles whose corners run clockwise in the image (the back of an outward-facing surface in camera axes with y
    down) and those with a corner nearer than 5 cm are not drawn.

    Args:
        pixels: (B, V, 2) projected vertices, pixels.
        depth: (B, V) their distance along the camera's axis, meters.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        height: rows of the images.
        width: columns of the images.

    Returns:
        The covered pixels, sorted by image, row and column.

    Raises:
        ValueError: more triangles than the z-buffer's key can count.
    """
    if len(faces) >= 1 << _TRIANGLE_BITS:
        raise ValueError(f"{len(faces)} triangles; the z-buffer counts at most {(1 << _TRIANGLE_BITS) - 1}")
    batch = len(pixels)
    buffer = torch.full((batch * height * width,), _EMPTY, dtype=torch.int64, device=pixels.device)
    for image, triangle, first, size in _size_groups(pixels, depth, faces, height, width):
        if size > _TILE:
            image, triangle, first = _tiles(pixels[image[:, None], faces[triangle]], image, triangle, first, size)
        side = min(size, _TILE)
        for part in torch.arange(len(image), device=pixels.device).split(max(1, _TESTS_AT_ONCE // side**2)):
            _draw_group(buffer, pixels, depth, faces, image[part], triangle[part], first[part], side, height, width)
    return _resolve(buffer.view(batch, height, width), pixels, depth, faces)


def _size_groups(
    pixels: Tensor, depth: Tensor, faces: Tensor, height: int, width: int
) -> list[tuple[Tensor, Tensor, Tensor, int]]:
    """Drawable triangles by bounding box: (image, triangle, first column and row, side of the square in pixels)."""
    corners = _at(pixels, faces)
    limit = torch.tensor([width - 1, height - 1], device=pixels.device)
    first = (corners.amin(2) - 0.5).ceil().clamp_min(0)
    last = torch.minimum((corners.amax(2) - 0.5).floor(), limit)
    drawable = (_doubled_area(corners) < 0) & (last >= first).all(-1) & (_at(depth, faces).amin(-1) > _NEAR)
    image, triangle = drawable.nonzero(as_tuple=True)
    first, extent = first[image, triangle], (last - first)[image, triangle].amax(-1) + 1
    groups, smaller, size = [], 0, 4
    while smaller < max(height, width):
        inside = ((extent > smaller) & (extent <= size)).nonzero(as_tuple=True)[0]
        groups.append((image[inside], triangle[inside], first[inside], size))
        smaller, size = size, size * 2
    return groups


def _tiles(corners: Tensor, image: Tensor, triangle: Tensor, first: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The tiles of M triangles' squares that their triangle may touch: image, triangle, first column and row of each.

    Args:
        corners: (M, 3, 2) pixels.
        image: (M,).
        triangle: (M,).
        first: (M, 2) first column and row of the squares.
        size: side of the squares, a multiple of the tiles'.
    """
    step = torch.arange(0, size, _TILE, device=corners.device)
    start = first[:, None] + torch.cartesian_prod(step, step).to(first)
    low, high = start + 0.5, start + (_TILE - 0.5)
    touched = torch.ones(start.shape[:2], dtype=torch.bool, device=corners.device)
    for k in range(3):
        a, along = corners[:, k, None], (corners[:, (k + 1) % 3] - corners[:, k])[:, None]
        # Of a tile's corners, the one farthest inside this edge; (x, y) is inside where along_x y < along_y x.
        x = torch.where(along[..., 1] > 0, high[..., 0], low[..., 0]) - a[..., 0]
        y = torch.where(along[..., 0] > 0, low[..., 1], high[..., 1]) - a[..., 1]
        touched &= along[..., 0] * y - along[..., 1] * x <= 1e-3 * along.abs().amax(-1)
    which, tile = touched.nonzero(as_tuple=True)
    return image[which], triangle[which], start[which, tile]


def _draw_group(
    buffer: Tensor,
    pixels: Tensor,
    depth: Tensor,
    faces: Tensor,
    image: Tensor,
    triangle: Tensor,
    first: Tensor,
    size: int,
    height: int,
    width: int,
) -> None:
    """Test the size x size pixel centers from `first` on of each triangle and keep the nearest in the buffer."""
    step = torch.arange(size, device=pixels.device)
    column = first[:, :1].long() + step.repeat(size)
    row = first[:, 1:].long() + step.repeat_interleave(size)
    corners = faces[triangle]
    first_share, second, third = _screen_weights(pixels[image[:, None], corners], column + 0.5, row + 0.5)
    inside = (first_share >= 0) & (second >= 0) & (third >= 0) & (column < width) & (row < height)
    which, center = inside.nonzero(as_tuple=True)
    weights = torch.stack([share[which, center] for share in (first_share, second, third)], dim=-1)
    inverse_depth = (weights / depth[image[:, None], corners][which]).sum(-1)
    position = (image[which] * height + row[which, center]) * width + column[which, center]
    # The bits of positive floats sort like the floats themselves.
    bits = inverse_depth.reciprocal().view(torch.int32).to(torch.int64)
    buffer.scatter_reduce_(0, position, (bits << _TRIANGLE_BITS) | triangle[which], "amin")


def _resolve(keys: Tensor, pixels: Tensor, depth: Tensor, faces: Tensor) -> Fragments:
    image, row, column = (keys < _EMPTY).nonzero(as_tuple=True)
    triangle = keys[image, row, column] & ((1 << _TRIANGLE_BITS) - 1)
    corners = faces[triangle]
    shares = _screen_weights(pixels[image[:, None], corners], column[:, None] + 0.5, row[:, None] + 0.5)
    weights = torch.cat(shares, dim=1) / depth[image[:, None], corners]
    total = weights.sum(-1, keepdim=True)
    return Fragments(image, row, column, triangle, weights / total, total[:, 0].reciprocal())


def _at(values: Tensor, faces: Tensor) -> Tensor:
    """(B, V, ...) values and (F, 3) vertices -> (B, F, 3, ...)."""
    corners: Tensor = values.index_select(1, faces.flatten()).unflatten(1, (len(faces), 3))
    return corners


def _doubled_area(corners: Tensor) -> Tensor:
    """(..., 3, 2) -> (...): twice the signed area, negative for counter-clockwise triangles (y points down)."""
    a, b, c = corners.unbind(-2)
    return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])


def _screen_weights(corners: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M, 3, 2) corners and (M, K) points -> three times (M, K), the barycentric coordinates in the image."""
    ax, bx, cx = corners[..., 0, None].unbind(1)
    ay, by, cy = corners[..., 1, None].unbind(1)
    area = _doubled_area(corners)[:, None]
    first = ((cx - bx) * (y - by) - (cy - by) * (x - bx)) / area
    second = ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) / area
    return first, second, 1 - first - second


def visible(pixels: Tensor, depth: Tensor, depth_image: Tensor, tolerance: Tensor | float) -> Tensor:
    """Which points lie in the picture and not behind a drawn surface.

    Args:
        pixels: (B, P, 2) projected points.
        depth: (B, P) their distances, meters.
        depth_image: (B, H, W) as `Fragments.depth_image` gives it.
        tolerance: meters a point may lie under the surface, a number, (P,) or (B, P): joints are inside the body.

    Returns:
        (B, P) bool.
    """
    height, width = depth_image.shape[1:]
    column, row = pixels.floor().long().unbind(-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (depth > _NEAR)
    image = torch.arange(len(pixels), device=pixels.device)[:, None]
    surface = depth_image[image, row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return inside & (depth <= surface + tolerance)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(B, V, 3) vertices -> (B, V, 3) unit normals, the area-weighted mean over each vertex's triangles."""
    a, b, c = _at(vertices, faces).unbind(2)
    face_normals = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(vertices)
    for corner in range(3):
        normals.index_add_(1, faces[:, corner], face_normals)
    return torch.nn.functional.normalize(normals, dim=-1)
