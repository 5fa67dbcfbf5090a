"""EHF: registered meshes, ascii and binary, come back in the axes of the camera."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose2pose.backend.motion.rotations import matrix_from_axis_angle
from pose2pose.training.body_models.joint_sets import WHOLE
from pose2pose.training.datasets.coco_layout import AnnotationError
from pose2pose.training.datasets.ehf import Ehf
from pose2pose.training.datasets.ply import read_ply_vertices
from pose2pose.training.datasets.report import MissingDataError

Write = Callable[[Path, Any], None]
HEADER = (
    "ply\nformat {} 1.0\ncomment made by hand\nelement vertex {}\n"
    "property float x\nproperty float y\nproperty float z\n"
)
CAMERA = matrix_from_axis_angle(np.array([-2.98747896, 0.01172457, -0.05704687]))
PLACE = (-0.03609917, 0.43416458, 2.37101226)


def write_ascii(path: Path, vertices: Any) -> None:
    rows = "".join(f"{x:.9f} {y:.9f} {z:.9f}\n" for x, y, z in vertices)
    faces = "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    path.write_text(HEADER.format("ascii", len(vertices)) + faces + rows + "3 0 1 2\n")


def write_binary(path: Path, vertices: Any) -> None:
    colors = "property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\n"
    faces = "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    rows = b"".join(struct.pack("<fffBBBB", *vertex, 1, 2, 3, 10) for vertex in vertices)
    header = (HEADER.format("binary_little_endian", len(vertices)) + colors + faces).encode()
    path.write_bytes(header + rows + struct.pack("<Biii", 3, 0, 1, 2))


@pytest.fixture()
def meshes() -> Any:
    return np.random.default_rng(1).normal(0, 0.4, (2, 50, 3)) + np.array([0, 0, 2.5])


@pytest.fixture()
def root(tmp_path: Path, meshes: Any, write_json: Write) -> Path:
    """Two frames whose meshes were moved from the camera to the scanner."""
    data = tmp_path / "data"
    data.mkdir()
    for mesh, number, write in zip(meshes, ("01", "77"), (write_ascii, write_binary), strict=True):
        write(data / f"{number}_align.ply", (mesh - PLACE) @ CAMERA)
    images = [{"id": k, "file_name": f"{n}_img.jpg", "width": 1600, "height": 1200} for k, n in enumerate(("01", "77"))]
    boxes = {"body_bbox": [400, 100, 700, 1000], "lefthand_bbox": [900, 500, 80, 90], "face_bbox": [700, 120, 100, 130]}
    annotations = [{"id": k, "image_id": k, **boxes, "righthand_bbox": [0, 0, 0, 0]} for k in range(2)]
    write_json(data / "EHF.json", {"images": images, "annotations": annotations})
    return tmp_path


def test_meshes_are_in_the_axes_of_the_camera(root: Path, meshes: Any) -> None:
    samples = Ehf(root=root, joint_set=WHOLE)
    for index, mesh in enumerate(meshes):
        vertices = samples.truth(index).vertices
        np.testing.assert_allclose(vertices, mesh, atol=1e-6)


def test_boxes_are_read(root: Path) -> None:
    sample = Ehf(root=root, joint_set=WHOLE)[1]
    assert sample.image.name == "77_img.jpg"
    assert sample.box.tolist() == [400.5, 100.5, 1099.5, 1099.5]
    assert sample.regions_valid.tolist() == [True, False, True]
    assert sample.regions[0].tolist() == [900.5, 500.5, 980.5, 590.5]
    assert sample.fit is None and not sample.points_valid.any()


def test_a_missing_mesh_is_listed(root: Path) -> None:
    (root / "data" / "77_align.ply").unlink()
    with pytest.raises(MissingDataError, match=r"77_align.ply: registered mesh; from the EHF download"):
        Ehf(root=root, joint_set=WHOLE)


@pytest.mark.parametrize("write", [write_ascii, write_binary])
def test_a_mesh_that_is_cut_short_is_named(tmp_path: Path, write: Callable[[Path, Any], None]) -> None:
    path = tmp_path / "cut.ply"
    write(path, np.ones((40, 3)))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(AnnotationError, match=r"cut.ply .* damaged"):
        read_ply_vertices(path)
    path.write_text("solid stl\n")
    with pytest.raises(AnnotationError, match="does not begin with ply"):
        read_ply_vertices(path)
