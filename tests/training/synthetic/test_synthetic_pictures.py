"""Rendered samples: labels agree with the pictures, seeds repeat, shards round-trip."""

import numpy as np
import pytest
import torch

from pose2pose.backend.body.joints import COCO17, LIMBS12, POINT_INDEX, RIGHT_HAND21
from pose2pose.backend.body.layer import BodyLayer
from pose2pose.backend.motion.body_file import load_body
from pose2pose.training.synthetic.camera import Camera, frame_points
from pose2pose.training.synthetic.faces import FaceRenderer
from pose2pose.training.synthetic.hands import MIN_VISIBLE, HandSampler
from pose2pose.training.synthetic.people import HEIGHT, WIDTH, PeopleSampler
from pose2pose.training.synthetic.regions import EYE, HAND, HEAD, INNER, body_regions
from pose2pose.training.synthetic.scenery import Scenery, harmonics
from pose2pose.training.synthetic.shards import read_shard, render_shards


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def people_sampler(body):
    rest = torch.eye(3).repeat(4, 22, 1, 1)
    return PeopleSampler(body=body, poses=rest, scenery=Scenery())


@pytest.fixture(scope="module")
def people(people_sampler):
    return people_sampler.sample(torch.Generator().manual_seed(0), 6)


@pytest.fixture(scope="module")
def hands(body):
    return HandSampler(body=body, scenery=Scenery()).sample(torch.Generator().manual_seed(0), 6)


def test_camera_projects_by_hand():
    camera = Camera(torch.tensor([100.0]), torch.tensor([[50.0, 40.0]]), 80, 100)
    pixels, depth = camera.project(torch.tensor([[[0.2, -0.1, 2.0]]]))
    assert pixels[0, 0].tolist() == pytest.approx([60.0, 35.0])
    assert depth.item() == 2.0


def test_framed_points_fill_the_picture_as_asked():
    points = torch.randn(3, 20, 3, generator=torch.Generator().manual_seed(1)) * 0.4
    camera, translation = frame_points(
        points, torch.full((3,), 4.0), torch.full((3,), 0.8), torch.zeros(3, 2), 256, 192
    )
    pixels, _ = camera.project(points + translation[:, None])
    low, high = pixels.amin(1), pixels.amax(1)
    assert ((low + high) / 2).numpy() == pytest.approx(np.tile([96.0, 128.0], (3, 1)), abs=1e-3)
    assert ((high - low) / torch.tensor([192.0, 256.0])).amax(1).tolist() == pytest.approx([0.8] * 3)


def test_regions_of_the_body(body):
    regions = body_regions(body)
    attributes, rest = regions.attributes, regions.attributes[:, :3]
    assert rest[attributes[:, HAND] > 0.5, 0].abs().min() > 0.55  # behind the wrists of outstretched arms
    assert (rest[attributes[:, HEAD] > 0.5, 1] > regions.joints[12, 1]).float().mean() > 0.95
    assert attributes[torch.tensor(body.weights[:, 23:25].sum(1)) > 0.5, EYE].min() > 0.5
    inside = (attributes[:, INNER] > 0.5) & (attributes[:, EYE] < 0.5)
    lips = regions.landmarks[31:43]
    assert 100 < inside.sum() < 2500
    assert (rest[inside, 2] < lips[:, 2].max()).float().mean() > 0.98  # all but the nostrils lie behind the lips
    front = (rest - lips.mean(0)).norm(dim=1) < 0.012
    assert (front & (attributes[:, INNER] < 0.5)).any()


def test_labels_of_people_follow_from_their_parameters(body, people):
    assert people.images.shape == (6, 3, HEIGHT, WIDTH)
    assert people.images.min() >= 0 and people.images.max() <= 1
    _, joints = BodyLayer(body)(people.rotations, people.betas, torch.zeros(6, 10))
    assert torch.allclose(joints + people.translation[:, None], people.points_3d[:, :55], atol=2e-3)
    projected = people.points_3d[..., :2] / people.points_3d[..., 2:] * people.focal[:, None, None]
    assert torch.allclose(projected + people.center[:, None], people.points_2d, atol=1e-2)


def test_visible_points_lie_in_the_picture_and_most_of_a_standing_body_shows(people):
    inside = ((people.points_2d >= 0) & (people.points_2d < torch.tensor([WIDTH, HEIGHT]))).all(-1)
    assert not (people.visible & ~inside).any()
    assert people.visible[:, list(LIMBS12)].float().mean() > 0.5


def test_people_face_all_ways_and_hide_the_nose_from_behind(people_sampler):
    many = people_sampler.sample(torch.Generator().manual_seed(4), 16)
    forward = many.rotations[:, 0, 2, 2]  # the z of the body's front in camera axes: negative when it looks at us
    nose = many.visible[:, POINT_INDEX["nose"]]
    assert (forward > 0.3).any() and (forward < -0.3).any()
    assert not nose[forward > 0.75].any()
    assert len(COCO17) == 17


def test_the_same_seed_renders_the_same_people(people_sampler, people):
    again = people_sampler.sample(torch.Generator().manual_seed(0), 6)
    assert torch.equal(people.images, again.images)


def test_hands_are_in_the_crop_and_point_up(hands):
    assert hands.images.shape == (6, 3, 224, 224)
    assert (hands.visible.sum(1) >= MIN_VISIBLE).all()
    inside = ((hands.points_2d > 0) & (hands.points_2d < 224)).all(-1)
    assert inside.float().mean() > 0.95
    palm = hands.points_2d[:, 9] - hands.points_2d[:, 0]
    assert (palm[:, 1] < 0).float().mean() > 0.8
    assert hands.points_3d.shape == (6, len(RIGHT_HAND21), 3)


def test_a_hand_stands_out_from_its_background(hands):
    wrist = hands.points_2d[:, 9].round().long().clamp(4, 219)
    difference = [
        (image[:, y - 2 : y + 3, x - 2 : x + 3].mean((1, 2)) - image[:, :20, :20].mean((1, 2))).abs().max().item()
        for image, (x, y) in zip(hands.images, wrist, strict=True)
    ]
    assert np.mean(difference) > 0.1


def test_face_is_lit_and_opens_its_mouth(body):
    sampler = FaceRenderer(body=body, scenery=Scenery(), turn=(0.0, 0.0, 0.0))
    jaw = torch.eye(3).repeat(2, 1, 1)
    angle = torch.tensor(0.45)
    jaw[1, 1:, 1:] = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    pair = [
        sampler.draw(torch.Generator().manual_seed(2), jaw[i : i + 1], torch.zeros(1, 10), torch.zeros(1, 10)).images
        for i in range(2)
    ]
    changed = (pair[0] - pair[1]).abs().amax(1)[0] > 0.08
    assert 0.01 < changed.float().mean() < 0.4
    rows = changed.nonzero()[:, 0].float()
    assert rows.mean() > 96  # the lower half of the crop


def test_constant_light_shades_every_direction_alike():
    normals = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    basis = harmonics(normals)
    assert torch.allclose(basis[:, 0], torch.full((50,), 0.282095))
    around = torch.nn.functional.normalize(torch.randn(20000, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    gram = harmonics(around).T @ harmonics(around) / len(around) * 4 * torch.pi
    assert torch.allclose(gram, torch.eye(9), atol=0.06)


@pytest.mark.slow
def test_shards_are_made_once_and_read_back(body, tmp_path):
    sampler = HandSampler(body=body, scenery=Scenery())
    calls = []

    def draw(generator, count):
        calls.append(count)
        return sampler.sample(generator, count, chunk=4)

    first = render_shards(tmp_path, 5, draw, seed=3, name="hands")
    second = render_shards(tmp_path, 5, draw, seed=3, name="hands")
    assert first == second and calls == [5]
    shard = read_shard(first[0])
    expected = sampler.sample(torch.Generator().manual_seed(3), 5, chunk=4)
    assert torch.equal(shard["rotations"], expected.rotations)
    assert (shard["images"] - expected.images).abs().mean() < 0.03
