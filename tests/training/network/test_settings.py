"""Networks that cannot be are refused with the way out; derived numbers follow the pictures' size."""

from typing import Any

import pytest

pytest.importorskip("torch")

from pose2pose.backend.model.presets import PAPER_BODY_GRID, PAPER_HAND_GRID
from pose2pose.training.network.settings import NetworkConfig


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"pooling": "max"}, "pooling must be one of ppp"),
        ({"body_resnet": 34}, "10, 18, 50. Got 34"),
        ({"rotation_inputs": ("positions-2d", "positions-3d")}, "2D or 3D positions"),
        ({"rotation_inputs": ()}, "rotation_inputs"),
        ({"rotation_inputs": ("features", "features")}, "each once"),
        ({"pooling": "gap"}, r"rotation_inputs must be \[\"features\"\]"),
        ({"pooling": "gap", "rotation_inputs": ("features",), "detach": ("positions",)}, "detach must be empty"),
        ({"detach": ("boxes",)}, "detach must be some of positions"),
        ({"trained": ("hand",)}, "trained must have the body"),
        ({"part": "hand", "initial": "upsampled"}, "for the whole network"),
        ({"initial": "refined", "pooling": "gap+ppp"}, "initial needs"),
        ({"input_size": (500, 384)}, r"input_size must be multiples of 64.*\[500, 384\]"),
        ({"face_size": (0, 128)}, "face_size"),
        ({"width": 0.0}, "width"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        NetworkConfig(**changes)


def test_the_papers_numbers() -> None:
    config = NetworkConfig()
    assert config.focal == 1500
    assert config.picture_size == (512, 384)
    assert config.branch_size == (256, 192)
    assert (config.body_grid, config.hand_grid) == (PAPER_BODY_GRID, PAPER_HAND_GRID)


def test_smaller_pictures_see_the_same_person_at_the_same_distance() -> None:
    assert NetworkConfig(input_size=(256, 192), body_stride=16).focal == 750
    assert NetworkConfig(part="hand", hand_size=(128, 128)).focal == 750
    assert NetworkConfig(part="face", face_size=(256, 256)).focal == 1500


def test_cells_follow_stride_depth_and_upsampling() -> None:
    small = NetworkConfig(body_stride=16, hand_stride=8)
    assert (small.body_grid.stride, small.body_grid.first_pixel) == (16, 8)
    assert (small.hand_grid.stride, small.hand_grid.depth_range) == (8, PAPER_HAND_GRID.depth_range)
    assert NetworkConfig(rotation_inputs=("positions-2d",)).body_grid.depth_bins == 1
    assert NetworkConfig(initial="upsampled").body_grid.stride == 4


def test_weights_that_are_loaded_afterwards_need_no_start() -> None:
    config = NetworkConfig(body_start="a.pth", hand_start="b.pth", face_start="c.pth", mcp=False)
    assert config.without_starts() == NetworkConfig(mcp=False)
