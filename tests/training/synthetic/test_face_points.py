"""Landmarks on the body's surface: they move as the face does, and other people's faces do not answer for it."""

import math

import pytest
import torch

from pose2pose.backend.model.face import align_points
from pose2pose.backend.model.presets import preset
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.weights import load_part, part_path
from pose2pose.training.open_preset.face_head import FaceModel, fit_frame, jaw_degrees, train_head
from pose2pose.training.synthetic.face_points import (
    IBUG,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    UPPER_INNER_LIP,
    UPPER_LIDS,
    FaceSurface,
    bind_landmarks,
)
from pose2pose.training.synthetic.face_variation import personalize, sample_faces
from pose2pose.training.synthetic.faces import FaceRenderer
from pose2pose.training.synthetic.poses import rotation_vectors_to_matrices
from pose2pose.training.synthetic.scenery import Scenery

STILL, REST = torch.eye(3)[None], torch.zeros(1, 10)
EXPRESSIONS = load_body().expression_names


@pytest.fixture(scope="module")
def renderer():
    return FaceRenderer(body=load_body(), scenery=Scenery())


@pytest.fixture(scope="module")
def surface(renderer):
    if not part_path("open", "face").exists():
        pytest.skip("needs the face network's weights")
    branch = preset("open").build_face().eval()
    load_part(branch, part_path("open", "face"), "open")
    binding = bind_landmarks(branch.backbone, renderer, torch.Generator().manual_seed(0), 8)
    return FaceSurface(renderer.layer, binding)


def express(name, strength=1.0):
    expression = torch.zeros(1, 10)
    expression[0, EXPRESSIONS.index(name)] = strength
    return expression


def gap(points, upper, lower):
    return (points[0, list(upper)] - points[0, list(lower)])[:, 1]


def test_landmarks_lie_where_the_body_has_them_and_mirror(surface, renderer):
    off = (surface.template[list(IBUG)] - renderer.regions.landmarks).norm(dim=1)
    assert off.mean() < 0.002 and off.max() < 0.006
    mirrored = surface.template * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.cdist(mirrored, surface.template).amin(1).mean() < 0.001


def test_jaw_moves_the_lower_lip_and_leaves_the_upper(surface):
    jaw = rotation_vectors_to_matrices(torch.tensor([[math.radians(20), 0.0, 0.0]]))
    moved = (surface.points(jaw, REST, REST) - surface.points(STILL, REST, REST))[0]
    assert (moved[list(LOWER_INNER_LIP), 1] < -0.01).all()
    assert moved[list(UPPER_INNER_LIP[1:-1])].norm(dim=1).max() < 0.004


def test_blink_closes_the_lids_and_smile_lifts_the_corners(surface):
    plain = surface.points(STILL, REST, REST)
    closed = surface.points(STILL, express("blink"), REST)
    assert gap(closed, UPPER_LIDS, LOWER_LIDS).mean() < 0.5 * gap(plain, UPPER_LIDS, LOWER_LIDS).mean()
    smiling = (surface.points(STILL, express("smile"), REST) - plain)[0, [61, 291]]
    assert (smiling[:, 1] > 0.001).all() and smiling[1, 0] > 0.001 > -0.001 > smiling[0, 0]


def test_people_differ_but_keep_their_mouths_closed(surface):
    plain = surface.points(STILL, REST, REST).expand(64, -1, -1)
    people = personalize(torch.Generator().manual_seed(1), surface, plain)
    difference = (people - plain).norm(dim=2)
    assert 0.001 < difference.mean() < 0.012
    opening = (people[:, 13] - people[:, 14])[:, 1]
    assert (opening - gap(plain, [13], [14])[0]).abs().mean() < 0.002


def test_samples_are_faces_in_any_view(surface):
    seen = sample_faces(torch.Generator().manual_seed(2), surface, 400)
    again = sample_faces(torch.Generator().manual_seed(2), surface, 400)
    assert torch.equal(seen.points, again.points)
    upright = surface.template * torch.tensor([1.0, -1.0, -1.0])
    aligned, _ = align_points(seen.points[seen.neutral], upright, torch.ones(len(upright)))
    assert 0.04 < seen.neutral.float().mean() < 0.4
    assert (aligned - upright).norm(dim=2).mean() < 0.012
    assert seen.expression[seen.neutral].abs().max() == 0 and jaw_degrees(seen.jaw).max() < 31


@pytest.mark.slow
def test_head_learns_the_jaw_from_moved_points(surface, renderer):
    torch.manual_seed(0)
    branch = preset("open").build_face().eval()
    fit_frame(branch, surface, sample_faces(torch.Generator().manual_seed(3), surface, 500))
    _, turned = align_points(branch.canonical[None], surface.template, branch.rigidity)
    torch.testing.assert_close(turned[0], torch.eye(3), atol=0.05, rtol=0)
    train_head(branch, surface, FaceModel(renderer.layer), seconds=3, seed=0, report=lambda step, loss: None)
    unseen = sample_faces(torch.Generator().manual_seed(4), surface, 500)
    with torch.no_grad():
        jaw, _, _ = branch.pose(unseen.points, None)
    pair = torch.stack([jaw_degrees(jaw), jaw_degrees(unseen.jaw)])
    assert torch.corrcoef(pair)[0, 1] > 0.7
