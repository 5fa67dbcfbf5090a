"""Scenes: what is hidden is labelled so, garments surround the body, shadows fall off the lamp, edges are smooth."""

import dataclasses
import math

import pytest
import torch

from pose2pose.backend.body.joints import LEFT_HAND21, POINT_INDEX, RIGHT_HAND21
from pose2pose.backend.motion.body_file import load_body
from pose2pose.backend.motion.skeleton import JOINT_INDEX
from pose2pose.training.synthetic.antialiasing import thin_out
from pose2pose.training.synthetic.camera import Camera
from pose2pose.training.synthetic.figures import Figure
from pose2pose.training.synthetic.hand_poses import rotation_about
from pose2pose.training.synthetic.meshes import sphere
from pose2pose.training.synthetic.people import PeopleSampler
from pose2pose.training.synthetic.props import Props, sample_props
from pose2pose.training.synthetic.rasterizer import rasterize, visible
from pose2pose.training.synthetic.rooms import Ground
from pose2pose.training.synthetic.scene import SAMPLES, compose
from pose2pose.training.synthetic.scenery import Light, Scenery
from pose2pose.training.synthetic.shadows import ShadowMap

UPRIGHT = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
FAR = 4.0


@pytest.fixture(scope="module")
def sampler() -> PeopleSampler:
    rest = torch.eye(3).repeat(2, 22, 1, 1)
    return PeopleSampler(body=load_body(), poses=rest, scenery=Scenery())


def standing(sampler: PeopleSampler, turns: dict[str, tuple[float, float, float]]) -> Figure:
    """Somebody in the rest pose with some joints turned (rotation vectors), four meters before the camera."""
    rotations = torch.eye(3).repeat(1, 55, 1, 1)
    for joint, vector in turns.items():
        axis = torch.tensor(vector)
        rotations[0, JOINT_INDEX[joint]] = rotation_about(axis / axis.norm(), axis.norm()[None])[0]
    rotations[:, 0] = UPRIGHT
    zero = torch.zeros(1, 10)
    figure = sampler.figures.dress(torch.Generator().manual_seed(3), torch.zeros(1).long(), rotations, zero, zero)
    return figure.moved(torch.tensor([[0.0, 0.35, FAR]]))


def seen(sampler: PeopleSampler, person: Figure, props: Props | None = None) -> torch.Tensor:
    """(76,) which points a picture of 256x192 shows."""
    generator = torch.Generator().manual_seed(0)
    camera = Camera(torch.tensor([460.0]), torch.tensor([[96.0, 128.0]]), 256, 192)
    if props is None:
        props = sample_props(generator, person.points, person.palms())
        props = dataclasses.replace(props, vertices=torch.full_like(props.vertices, torch.nan))
    ground = Ground(torch.tensor([[0.0, -1.0, 0.0]]), torch.tensor([-1.0]))
    picture = compose(generator, sampler.figures, person, None, props, camera, sampler.scenery, ground)
    assert picture.radiance.isfinite().all()
    labels = torch.cat([person.points, sampler.face.points(person.skin, person.rotations)], dim=1)
    pixels, depth = camera.project(labels)
    return visible(pixels * SAMPLES, depth, picture.depth, sampler.tolerance(depth, camera))[0, :76]


def test_hands_at_the_sides_are_seen_and_a_hand_behind_the_back_is_not(sampler: PeopleSampler) -> None:
    hanging = {
        "left_shoulder": (0.0, 0.0, -1.0), "left_elbow": (1.5, 0.0, 0.0),
        "right_shoulder": (0.0, 0.0, 1.0), "right_elbow": (1.5, 0.0, 0.0),
    }  # fmt: skip
    shown = seen(sampler, standing(sampler, hanging))
    assert shown[list(LEFT_HAND21)].float().mean() > 0.6 and shown[list(RIGHT_HAND21)].float().mean() > 0.6
    behind = {"left_shoulder": (0.0, 0.3, -1.5), "left_elbow": (0.0, 2.2, 0.0)}
    behind |= {joint: turn for joint, turn in hanging.items() if joint.startswith("right")}
    person = standing(sampler, behind)
    wrist = person.points[0, JOINT_INDEX["left_wrist"]]
    assert wrist[2] > person.points[0, JOINT_INDEX["spine1"], 2] + 0.08 and wrist[0].abs() < 0.15
    shown = seen(sampler, person)
    assert not shown[list(LEFT_HAND21)].any()
    assert shown[list(RIGHT_HAND21)].float().mean() > 0.6


def test_a_label_behind_a_thing_is_not_seen(sampler: PeopleSampler) -> None:
    person = standing(sampler, {})
    before = seen(sampler, person)
    props = sample_props(torch.Generator().manual_seed(1), person.points, person.palms())
    ball = sphere(13, 24)
    vertices = torch.full_like(props.vertices, torch.nan)
    knee = person.points[0, JOINT_INDEX["left_knee"]]
    vertices[0, : len(ball.vertices)] = ball.vertices * 0.12 + knee * 0.9
    after = seen(sampler, person, dataclasses.replace(props, vertices=vertices))
    assert before[JOINT_INDEX["left_knee"]] and not after[JOINT_INDEX["left_knee"]]
    assert after[JOINT_INDEX["right_knee"]] and after[POINT_INDEX["nose"]]


def test_no_visible_label_lies_behind_the_body_by_an_independent_ray_test(sampler: PeopleSampler) -> None:
    people = sampler.sample(torch.Generator().manual_seed(2), 4)
    vertices, _ = sampler.figures.layer(people.rotations, people.betas, people.expression)
    vertices = vertices + people.translation[:, None]
    for person in range(4):
        corners = vertices[person][sampler.figures.regions.faces].double()
        for point in people.points_3d[person][people.visible[person]][:40:4].double():
            crossed = crossings(point, corners)
            assert crossed.numel() == 0 or crossed.min() > 1 - 0.25 / point.norm()  # at most inside the own limb


def crossings(point: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Where the line from the camera to a point passes triangles (F, 3, 3), as shares of its length below 1."""
    a, b, c = corners.unbind(1)
    volume = (a * torch.linalg.cross(b, c)).sum(1)
    first = (point * torch.linalg.cross(b, c)).sum(1) / volume
    second = (point * torch.linalg.cross(c, a)).sum(1) / volume
    third = (point * torch.linalg.cross(a, b)).sum(1) / volume
    share = 1 / (first + second + third)
    return share[(first > 0) & (second > 0) & (third > 0) & (share < 1)]


def test_a_skirt_surrounds_the_legs_and_what_is_not_worn_is_nowhere(sampler: PeopleSampler) -> None:
    person = standing(sampler, {})
    joints = sampler.figures.regions.joints
    no, yes = torch.tensor([False]), torch.tensor([True])
    hem = torch.stack([joints[0, 1] + 0.05, joints[JOINT_INDEX["left_knee"], 1]])[None]
    outfit = dataclasses.replace(
        person.outfit, skirt=yes, shirt=no, long_hair=no, tail=no, glasses=no, hem=hem, flare=torch.zeros(1, 3)
    )
    rotations = torch.eye(3).repeat(1, 55, 1, 1)
    posed, rest = sampler.figures.wardrobe.pose(outfit, rotations, torch.zeros(1, 10))
    worn = posed[0][posed[0].isfinite().all(-1)]
    assert len(worn) == 2 * 14 * 40 and torch.allclose(worn, rest[0, : len(worn)], atol=1e-5)
    assert worn[:, 1].min().item() == pytest.approx(hem[0, 1].item(), abs=0.03)
    thigh = (sampler.figures.regions.attributes[:, 1] - hem[0].mean()).abs() < 0.03
    legs = sampler.figures.regions.attributes[thigh & (sampler.figures.regions.attributes[:, 8] < 0.5), :3]
    ring = worn[(worn[:, 1] - hem[0].mean()).abs() < 0.05]
    angle = lambda points: torch.atan2(points[:, 2], points[:, 0])  # noqa: E731
    for leg in legs[::20]:
        outside = ring[(angle(ring) - angle(leg[None])).abs() < 0.2]
        assert outside[:, [0, 2]].norm(dim=1).max() > leg[[0, 2]].norm() - 0.01


def test_glasses_stand_before_the_eyes(sampler: PeopleSampler) -> None:
    person = standing(sampler, {})
    yes = torch.tensor([True])
    outfit = dataclasses.replace(person.outfit, glasses=yes, dark=yes)
    posed, _ = sampler.figures.wardrobe.pose(outfit, torch.eye(3).repeat(1, 55, 1, 1), torch.zeros(1, 10))
    lenses = sampler.figures.wardrobe.faces[sampler.figures.wardrobe.kinds == 4].unique()
    middle = posed[0, lenses]
    for eye in sampler.figures.regions.eyes:
        near = middle[(middle[:, :2] - eye[:2]).norm(dim=1) < 0.03]
        assert len(near) >= 20 and (near[:, 2] > eye[2] + 0.01).all() and (near[:, 2] < eye[2] + 0.06).all()


def test_a_ball_shades_the_ground_away_from_the_lamp() -> None:
    ball = sphere(24, 32)
    vertices = (ball.vertices * 0.2 + torch.tensor([0.0, 0.0, 3.0]))[None]
    lamp = torch.tensor([[math.sqrt(0.5), -math.sqrt(0.5), 0.0]])  # from the upper right; y points down
    shadow = ShadowMap.cast(vertices, ball.faces, lamp)
    below = torch.tensor([[-0.6, 0.6, 3.0], [0.6, 0.6, 3.0], [0.0, 0.6, 3.0], [0.2, -0.2, 3.0]])
    lit = shadow.lit(below, torch.zeros(4).long())
    assert lit.tolist() == pytest.approx([0, 1, 1, 1], abs=0.05)


def test_pixels_at_an_edge_get_the_share_that_is_covered() -> None:
    corners = torch.tensor([[[0.0, 0.0], [0.0, 40.0], [40.0, 40.0]]])
    fragments = rasterize(corners, torch.full((1, 3), 2.0), torch.tensor([[0, 1, 2]]), 64, 64)
    samples = thin_out(fragments, 2, 1, 32, 32)
    cover = samples.add(torch.ones(len(samples.pixel), 1), torch.zeros(32 * 32, 1)).view(32, 32)
    assert cover.sum().item() == pytest.approx(len(fragments.depth) / 4)
    assert cover[10, 3] == 1 and cover[10, 15] == 0 and 0 < cover[10, 10] < 1
    assert len(samples.pixel) < 0.5 * len(fragments.depth)


def test_the_ground_is_hit_where_feet_stand() -> None:
    ground = Ground(torch.tensor([[0.0, -1.0, 0.0]]), torch.tensor([-1.5]))
    rays = torch.nn.functional.normalize(torch.tensor([[[[0.0, 1.5, 3.0], [0.0, -1.0, 3.0]]]]), dim=-1)
    points, ahead = ground.hit(rays)
    assert ahead.tolist() == [[[True, False]]]
    assert torch.allclose(points[0, 0, 0], torch.tensor([0.0, 1.5, 3.0]), atol=1e-5)


def test_light_without_a_lamp_shades_as_in_the_shadow() -> None:
    light = Light(torch.rand(1, 9, 3), torch.tensor([[0.0, -1.0, 0.0]]), torch.ones(1, 3))
    normals, image = torch.nn.functional.normalize(torch.randn(20, 3), dim=1), torch.zeros(20).long()
    dark = light.shade(normals, image, torch.zeros(20, 1))
    assert torch.allclose(dark, Light(light.harmonics, light.direction, torch.zeros(1, 3)).shade(normals, image))
    assert (light.shade(normals, image) >= dark).all()
