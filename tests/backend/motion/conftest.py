"""A take that every test of this folder may change."""

from collections.abc import Callable

import numpy as np
import pytest

from pose2pose.backend.motion.take import Take


@pytest.fixture
def make_take() -> Callable[..., Take]:
    """A take of somebody who stands with every joint at rest, four meters before the camera."""

    def make(frames: int = 5, rate: float = 30.0, **changes: object) -> Take:
        values = {
            "poses": np.zeros((frames, 165), np.float32),
            "trans": np.tile(np.array([0.0, 4.0, 0.2], np.float32), (frames, 1)),
            "betas": np.linspace(-1, 1, 10, dtype=np.float32),
            "expression": np.zeros((frames, 10), np.float32),
            "times": np.arange(frames) / rate,
            "frames": np.arange(frames),
            "joints_cam": np.full((frames, 55, 3), 4.0, np.float32),
            "joints_img": np.full((frames, 55, 2), 100.0, np.float32),
            "confidence": np.ones((frames, 55), np.float32),
            "boxes": np.zeros((frames, 4), np.float32),
            "focal": np.full(2, 600.0, np.float32),
            "principal_point": np.array([320.0, 240.0], np.float32),
            "image_size": np.array([640, 480]),
            "mocap_frame_rate": rate,
        }
        return Take(**{**values, **changes})

    return make
