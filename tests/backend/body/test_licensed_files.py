"""Files in the published layouts of SMPL-X, made from the open body: read here as the `smplx` package reads them."""

import pickle  # noqa: TID251 - writes what is read here
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
smplx = pytest.importorskip("smplx")

from pose2pose.backend.body.layer import BodyLayer  # noqa: E402
from pose2pose.backend.motion.body_file import OPEN_BODY, BodyFile, load_body  # noqa: E402
from pose2pose.backend.motion.mean_hand import HANDS, matrices_relative_to_flat  # noqa: E402
from pose2pose.backend.motion.rotations import matrix_from_axis_angle  # noqa: E402

PARTS = {
    "global_orient": slice(0, 1), "body_pose": slice(1, 22), "jaw_pose": slice(22, 23), "leye_pose": slice(23, 24),
    "reye_pose": slice(24, 25), "left_hand_pose": slice(25, 40), "right_hand_pose": slice(40, 55),
}  # fmt: skip


def write(folder: Path, directions: int, ending: str) -> Path:
    """The layout of SMPL-X 1.0's short files (20 directions) and of 1.1 and the locked head (400)."""
    with np.load(OPEN_BODY) as archive:
        arrays: dict[str, Any] = {key: archive[key] for key in archive.files if not key.endswith("_names")}
    short = np.asarray(arrays["shapedirs"], dtype=np.float32)
    filler = np.random.default_rng(0).normal(scale=0.01, size=(*short.shape[:2], directions)).astype(np.float32)
    first = 300 if directions >= 400 else 10
    filler[..., :10], filler[..., first : first + 10] = short[..., :10], short[..., 10:20]
    arrays |= {"shapedirs": filler, "posedirs": np.asarray(arrays["posedirs"], dtype=np.float32)}
    file = folder / f"SMPLX_NEUTRAL.{ending}"
    if ending == "npz":
        np.savez(file, **arrays, joint2num=np.array({"pelvis": 0}, dtype=object))
    else:
        file.write_bytes(pickle.dumps({**arrays, "joint2num": {"pelvis": 0}}, protocol=2))
    return file


@pytest.mark.slow
@pytest.mark.parametrize(("directions", "ending"), [(20, "npz"), (20, "pkl"), (400, "npz"), (400, "pkl"), (399, "npz")])
def test_the_mesh_is_that_of_smplx(tmp_path: Path, body: BodyFile, directions: int, ending: str) -> None:
    file = write(tmp_path, directions, ending)
    licensed = load_body(file)
    assert licensed.name == "SMPLX_NEUTRAL"
    theirs = smplx.SMPLXLayer(str(file), ext=ending, use_pca=False, batch_size=2)
    random = np.random.default_rng(0).normal(scale=0.4, size=(2, 55, 3))
    rotations = torch.tensor(matrix_from_axis_angle(random), dtype=torch.float32)
    betas, expression = torch.randn(2, 2, 10, generator=torch.Generator().manual_seed(0))
    vertices, _ = BodyLayer(licensed)(rotations, betas, expression)
    parts = {name: rotations[:, joints] for name, joints in PARTS.items()}
    wanted = theirs(betas=betas, expression=expression, **parts)
    torch.testing.assert_close(vertices, wanted.vertices, atol=1e-5, rtol=0)
    if directions == 400:
        np.testing.assert_allclose(licensed.exprdirs, body.exprdirs, atol=1e-7)


def test_the_mean_hand_is_added_where_smplx_adds_it(tmp_path: Path) -> None:
    """`smplx.create(..., flat_hand_mean=False)`, its default, with fingers relative to the mean hand: the same mesh."""
    file = write(tmp_path, 20, "npz")
    licensed = load_body(file)
    theirs = smplx.SMPLX(str(file), use_pca=False, flat_hand_mean=False)
    pose = np.random.default_rng(1).normal(scale=0.3, size=(1, 55, 3)).astype(np.float32)
    wanted = theirs(**{name: torch.tensor(pose[:, joints]).flatten(1) for name, joints in PARTS.items()})
    flat = matrix_from_axis_angle(pose)
    flat[:, HANDS] = matrices_relative_to_flat(flat[:, HANDS], licensed.hands_mean)
    zeros = torch.zeros(1, 10)
    vertices, _ = BodyLayer(licensed)(torch.tensor(flat, dtype=torch.float32), zeros, zeros)
    torch.testing.assert_close(vertices, wanted.vertices, atol=1e-5, rtol=0)
