"""The four human models through our reader and `smplx`, against `smplx` alone and against the layer of the project."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
smplx = pytest.importorskip("smplx")

from pose2pose.backend.body.layer import BodyLayer  # noqa: E402
from pose2pose.backend.motion.body_file import load_body  # noqa: E402
from pose2pose.backend.motion.rotations import matrix_from_axis_angle  # noqa: E402
from pose2pose.training.body_models.human_models import HumanModel, build_human_model  # noqa: E402
from pose2pose.training.body_models.joint_sets import JOINT_SETS, WHOLE  # noqa: E402
from pose2pose.training.body_models.model_files import (  # noqa: E402
    MissingModelError,
    ModelFileError,
    face_vertices,
    hand_vertices,
    joints_14,
    joints_h36m,
    model_file,
    read_model,
)

MODELS = {"whole": "whole_model", "body": "body_model", "hand": "hand_model", "face": "face_model"}


def rotations(joints: int, batch: int = 2, scale: float = 0.3) -> Any:
    vectors = np.random.default_rng(joints).normal(scale=scale, size=(batch, joints, 3))
    return torch.tensor(matrix_from_axis_angle(vectors), dtype=torch.float32)


def shape(batch: int = 2) -> tuple[Any, Any, Any]:
    random = torch.Generator().manual_seed(1)
    betas, expression = (torch.randn(batch, 10, generator=random) for _ in range(2))
    return betas, expression, torch.randn(batch, 3, generator=random)


def test_the_open_body_is_posed_as_by_the_projects_own_layer() -> None:
    model = build_human_model("whole", None)
    turned, (betas, expression, trans) = rotations(55), shape()
    posed = model(turned, betas, expression, trans)
    vertices, joints = BodyLayer(load_body())(turned, betas, expression)
    torch.testing.assert_close(posed.vertices, vertices + trans[:, None], atol=2e-5, rtol=0)
    wrist = WHOLE.points.index("L_Wrist")
    torch.testing.assert_close(posed.points[:, wrist], joints[:, 20] + trans, atol=2e-5, rtol=0)


@pytest.mark.parametrize("part", MODELS)
def test_points_and_rotations_are_those_of_the_joint_set(part: str, request: pytest.FixtureRequest) -> None:
    model: HumanModel = request.getfixturevalue(MODELS[part])
    count = len(JOINT_SETS[part].rotations)
    betas, expression, trans = shape()
    still = model(rotations(count), betas, expression)
    moved = model(rotations(count), betas, expression, trans)
    assert still.points.shape == (2, len(JOINT_SETS[part].points), 3)
    torch.testing.assert_close(moved.points, still.points + trans[:, None], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved.vertices, still.vertices + trans[:, None], atol=1e-5, rtol=0)
    assert model.mean_pose.shape == (count, 3)
    assert model.regressor.shape[1] == still.vertices.shape[1]
    assert int(model.faces.max()) < still.vertices.shape[1]
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("part", MODELS)
def test_points_alone_are_those_of_the_mesh(part: str, request: pytest.FixtureRequest) -> None:
    model: HumanModel = request.getfixturevalue(MODELS[part])
    betas, expression, trans = shape()
    turned = rotations(len(JOINT_SETS[part].rotations)).requires_grad_()
    whole, alone = model(turned, betas, expression, trans).points, model.points(turned, betas, expression, trans)
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=0)
    gradients = [torch.autograd.grad(points.square().sum(), turned)[0] for points in (whole, alone)]
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-3, rtol=1e-4)


def test_smplx_gives_the_same_from_the_file_itself(model_folder: Path, whole_model: HumanModel) -> None:
    folder = str(model_folder / "smplx")
    theirs = smplx.SMPLXLayer(folder, use_pca=False, use_face_contour=True, ext="npz")
    turned, (betas, expression, trans) = rotations(55), shape()
    out = theirs(
        betas=betas, expression=expression, transl=trans, global_orient=turned[:, :1], body_pose=turned[:, 1:22],
        jaw_pose=turned[:, 22], leye_pose=turned[:, 23], reye_pose=turned[:, 24], left_hand_pose=turned[:, 25:40],
        right_hand_pose=turned[:, 40:],
    )  # fmt: skip
    posed = whole_model(turned, betas, expression, trans)
    torch.testing.assert_close(posed.vertices, out.vertices)
    torch.testing.assert_close(posed.points, out.joints[:, list(WHOLE.layer_points)])


def test_smpl_mano_and_flame_files_load_in_smplx_itself(
    model_folder: Path, body_model: HumanModel, hand_model: HumanModel, face_model: HumanModel
) -> None:
    """Their regressors are sparse matrices and FLAME's landmarks pickled dictionaries, as in the licensed files."""
    betas, expression, _ = shape()
    body = smplx.SMPLLayer(str(model_folder / "smpl"))
    turned = rotations(24)
    turned[:, 22:] = torch.eye(3)
    out = body(betas=betas, global_orient=turned[:, :1], body_pose=turned[:, 1:])
    torch.testing.assert_close(body_model(turned[:, :22], betas).vertices, out.vertices)
    hand = smplx.MANOLayer(str(model_folder / "mano"), use_pca=False, is_rhand=True)
    turned = rotations(16)
    out = hand(betas=betas, global_orient=turned[:, :1], hand_pose=turned[:, 1:])
    torch.testing.assert_close(hand_model(turned, betas).vertices, out.vertices)
    face = smplx.FLAMELayer(str(model_folder / "flame"), use_face_contour=True)
    turned, rest = rotations(2), torch.eye(3).expand(2, 1, 3, 3)
    out = face(
        betas=betas, expression=expression, global_orient=turned[:, :1], jaw_pose=turned[:, 1:], neck_pose=rest,
        leye_pose=rest, reye_pose=rest,
    )  # fmt: skip
    torch.testing.assert_close(face_model(turned, betas, expression).points, out.joints)


def test_the_same_points_of_different_models_are_in_the_same_places(
    whole_model: HumanModel, body_model: HumanModel, hand_model: HumanModel, face_model: HumanModel
) -> None:
    """All four are made of one body: a name that several joint sets have is one place at rest (FLAME's neck aside)."""
    zeros = torch.zeros(1, 10)
    rest = {}
    for model in (whole_model, body_model, hand_model, face_model):
        names = model.joint_set.points
        points = model(torch.eye(3).expand(1, len(model.joint_set.rotations), 3, 3), zeros).points[0]
        prefix = "R_" if model.joint_set.name == "hand" else ""
        rest[model.joint_set.name] = {prefix + name: point for name, point in zip(names, points, strict=True)}
    compared = 0
    for part in ("body", "hand", "face"):
        for name in rest[part].keys() & rest["whole"].keys() - ({"Neck"} if part == "face" else set()):
            distance = (rest[part][name] - rest["whole"][name]).norm().item()
            assert distance < 0.02, f"{name} of {part} is {1000 * distance:.0f} mm off"
            compared += 1
    assert compared > 100


def test_only_the_face_has_expressions(body_model: HumanModel, face_model: HumanModel) -> None:
    betas, expression, _ = shape()
    for model, moves in ((body_model, False), (face_model, True)):
        eye = torch.eye(3).expand(2, len(model.joint_set.rotations), 3, 3)
        same = torch.equal(model(eye, betas, expression).vertices, model(eye, betas).vertices)
        assert same is not moves


def test_single_precision_inside_autocast_and_gradients_to_every_input(whole_model: HumanModel) -> None:
    turned = rotations(55).requires_grad_()
    betas, expression, trans = (part.requires_grad_() for part in shape())
    wanted = whole_model(turned, betas, expression, trans).points
    with torch.autocast("cpu", dtype=torch.bfloat16):
        posed = whole_model(turned, betas, expression, trans)
    torch.testing.assert_close(posed.points, wanted)
    posed.points.square().sum().backward()
    for value in (turned, betas, expression, trans):
        assert value.grad is not None and value.grad.abs().sum() > 0


def test_the_mean_hand_is_that_of_the_file(whole_model: HumanModel, hand_model: HumanModel) -> None:
    body = load_body()
    np.testing.assert_allclose(whole_model.mean_pose[25:].numpy(), body.hands_mean.reshape(30, 3), atol=1e-6)
    np.testing.assert_allclose(hand_model.mean_pose[1:].numpy(), body.hands_mean[1], atol=1e-6)
    assert not whole_model.mean_pose[:25].any()


def test_parts_of_the_whole_are_where_they_should_be(whole_model: HumanModel) -> None:
    open_model = build_human_model("whole", None)
    for model in (whole_model, open_model):
        posed = model(torch.eye(3).expand(1, 55, 3, 3), torch.zeros(1, 10))
        places = {name: posed.vertices[0, ids] for name, ids in model.parts.items()}
        wrists = {side: posed.points[0, WHOLE.points.index(f"{side}_Wrist")] for side in "LR"}
        assert (places["left_hand"][:, 0] > wrists["L"][0] - 0.06).all()
        assert (places["right_hand"][:, 0] < wrists["R"][0] + 0.06).all()
        assert (places["face"][:, 1] > posed.points[0, WHOLE.points.index("Neck"), 1] - 0.2).all()
    assert {name: len(ids) for name, ids in whole_model.parts.items()} == {
        "left_hand": 778, "right_hand": 778, "face": 5023,
    }  # fmt: skip


def test_genders_are_files_of_their_own(model_folder: Path) -> None:
    heights = {}
    for gender in ("male", "female"):
        model = build_human_model("body", model_folder, gender=gender)
        vertices = model(torch.eye(3).expand(1, 22, 3, 3), torch.zeros(1, 10)).vertices
        heights[gender] = float(vertices[..., 1].amax() - vertices[..., 1].amin())
    assert heights["male"] > 1.03 * heights["female"]


@pytest.mark.parametrize(
    ("part", "names", "site"),
    [
        ("whole", ["smplx/SMPLX_FEMALE.npz"], "smpl-x.is.tue.mpg.de"),
        ("body", ["smpl/SMPL_FEMALE.npz"], "smpl.is.tue.mpg.de"),
        ("hand", ["mano/MANO_RIGHT.npz"], "mano.is.tue.mpg.de"),
        (
            "face",
            ["flame/FLAME_FEMALE.npz", "flame/flame_static_embedding.pkl", "flame/flame_dynamic_embedding.npy"],
            "flame.is.tue.mpg.de",
        ),
    ],
)
def test_missing_files_are_listed_with_where_to_get_them(
    tmp_path: Path, part: str, names: list[str], site: str
) -> None:
    with pytest.raises(MissingModelError) as raised:
        build_human_model(part, tmp_path, gender="female")
    text = str(raised.value)
    assert all(str(tmp_path / name) in text for name in names)
    assert site in text
    assert "basicmodel_*.pkl and FLAME's generic_model.pkl are renamed" in text


def test_only_the_missing_files_are_listed(model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder / "flame", tmp_path / "flame")
    (tmp_path / "flame" / "flame_dynamic_embedding.npy").unlink()
    with pytest.raises(MissingModelError, match="flame_dynamic_embedding") as raised:
        build_human_model("face", tmp_path)
    assert "static" not in str(raised.value)


@pytest.mark.parametrize("part", ["body", "hand", "face"])
def test_there_is_no_open_model_of_a_part(part: str) -> None:
    with pytest.raises(MissingModelError, match="needs a licensed model"):
        build_human_model(part, None)


def test_a_file_of_another_model_or_a_damaged_one_is_refused(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="hands_meanl"):
        read_model("whole", model_file("body", model_folder))
    damaged = tmp_path / "SMPL_NEUTRAL.pkl"
    damaged.write_bytes(model_file("body", model_folder).read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="SMPL_NEUTRAL"):
        read_model("body", damaged)


def test_index_files_of_the_evaluations(model_folder: Path, tmp_path: Path) -> None:
    assert {side: ids.shape for side, ids in hand_vertices(model_folder).items()} == {
        "left_hand": (778,), "right_hand": (778,),
    }  # fmt: skip
    assert face_vertices(model_folder).shape == (5023,)
    for rows in (joints_14(model_folder), joints_h36m("whole", model_folder), joints_h36m("body", model_folder)):
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert joints_14(model_folder).shape == (14, 10475)
    assert joints_h36m("body", model_folder).shape == (17, 6890)
    with pytest.raises(MissingModelError, match="SMPLX_to_J14"):
        joints_14(tmp_path)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (hand_vertices, "smplx/MANO_SMPLX_vertex_ids.pkl"),
        (face_vertices, "smplx/SMPL-X__FLAME_vertex_ids.npy"),
        (joints_14, "smplx/SMPLX_to_J14.pkl"),
        (partial(joints_h36m, "body"), "smpl/J_regressor_h36m_smpl.npy"),
    ],
)
@pytest.mark.parametrize("kept", [0, 60])
def test_a_damaged_index_file_is_named(
    model_folder: Path, tmp_path: Path, read: Callable[[Path], object], name: str, kept: int
) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes((model_folder / name).read_bytes()[:kept])
    with pytest.raises(ModelFileError, match=f"cannot read .*{Path(name).name}.*get it again"):
        read(tmp_path)


def test_damaged_landmarks_of_flame_are_named(model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder / "flame", tmp_path / "flame")
    dynamic = tmp_path / "flame" / "flame_dynamic_embedding.npy"
    dynamic.write_bytes(dynamic.read_bytes()[:40])
    with pytest.raises(ModelFileError, match=r"flame_dynamic_embedding.npy.*flame.is.tue.mpg.de"):
        build_human_model("face", tmp_path)
