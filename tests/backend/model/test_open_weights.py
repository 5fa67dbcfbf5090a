"""The packaged weights of the preset `open` on a real picture."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torchvision.transforms.functional import rotate

from pose2pose.backend.crops import crop, crop_transform
from pose2pose.backend.model.body import BodyBranch
from pose2pose.backend.model.presets import build_open_body
from pose2pose.backend.weights import PARTS, load_network, load_part, part_path

MAN, WOMAN = (19, 43, 88, 212), (265, 242, 366, 432)
NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, LEFT_ANKLE = 0, 5, 6, 11, 15
SWAP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]

pytestmark = pytest.mark.skipif(not part_path("open", "body").is_file(), reason="the weights are not here")


@pytest.fixture(scope="module")
def body() -> BodyBranch:
    branch = build_open_body()
    load_part(branch, part_path("open", "body"), "open")
    return branch.eval()


@pytest.fixture(scope="module")
def people(clip_frames: list[NDArray[np.uint8]]) -> torch.Tensor:
    crops = [crop(clip_frames[12], crop_transform(np.array(box, dtype=np.float64))) for box in (MAN, WOMAN)]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def test_keypoints_of_real_people(body: BodyBranch, people: torch.Tensor) -> None:
    positions = body.locate(torch.nn.functional.avg_pool2d(people, 2))
    points = positions.points
    assert (positions.scores > 0.5).all()
    for above, below in ((NOSE, LEFT_SHOULDER), (LEFT_SHOULDER, LEFT_HIP), (LEFT_HIP, LEFT_ANKLE)):
        assert (points[:, above, 1] + 15 < points[:, below, 1]).all()
    assert points[0, LEFT_SHOULDER, 0] > points[0, RIGHT_SHOULDER, 0] + 20  # the man faces the camera
    assert points[1, NOSE, 0] < points[1, [LEFT_SHOULDER, RIGHT_SHOULDER], 0].min()  # the woman walks to the left


@torch.inference_mode()
def test_a_mirrored_person_has_mirrored_keypoints(body: BodyBranch, people: torch.Tensor) -> None:
    pictures = torch.nn.functional.avg_pool2d(people, 2)
    points, mirrored = (body.locate(images).points[..., :2] for images in (pictures, pictures.flip(-1)))
    restored = torch.stack([192 - mirrored[:, SWAP, 0], mirrored[:, SWAP, 1]], dim=-1)
    assert (restored - points).norm(dim=-1).mean() < 5


@pytest.mark.skipif(not all(part_path("open", part).is_file() for part in PARTS), reason="not all weights are here")
@torch.inference_mode()
def test_the_whole_network(people: torch.Tensor) -> None:
    network = load_network("open")
    output, again = network(people), network(people.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(again.rotations, output.rotations, atol=1e-3, rtol=0)
    torch.testing.assert_close(again.boxes, output.boxes, atol=1e-2, rtol=0)
    up = output.rotations[:, 0, :, 1]  # where the pelvis' up axis points; y is down in camera axes
    assert (up[:, 1] < -0.8).all()
    facing = output.rotations[:, 0, :, 2]
    assert facing[0, 2] < -0.5
    assert facing[1, 0] < -0.5
    assert (output.betas.abs() < 5).all()


@pytest.mark.skipif(not all(part_path("open", part).is_file() for part in PARTS), reason="not all weights are here")
@torch.inference_mode()
def test_faces_show_how_heads_are_turned(people: torch.Tensor) -> None:
    network = load_network("open")
    turns = network(people).head_turn
    assert turns is not None
    assert (turns[:, 1, 1] < -0.8).all(), "up on the picture"
    assert turns[0, 2, 2] < -0.8, "the man looks at the camera"
    assert turns[1, 0, 2] < -0.5, "the woman to the left"

    tilted = network(rotate(people[:1], angle=-20)).head_turn
    assert tilted is not None
    left = Rotation.from_matrix((tilted[0] @ turns[0].mT).numpy()).as_rotvec(degrees=True)
    assert left[2] == pytest.approx(20, abs=5), "and tilts with the picture"
