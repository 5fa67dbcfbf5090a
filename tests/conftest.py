"""Fixtures that more than one test file uses."""

import os
import signal
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

# Before torch is imported, and for child processes too: with tensors this small a second thread only costs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell makes what it starts in the background deaf to Ctrl-C, and child processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

CLIP = Path(__file__).parent / "data" / "person_walking.mp4"


@pytest.fixture(scope="session")
def clip() -> Path:
    """24 frames, 480x458, 30 a second: a woman walks to the left, a man stands on a box."""
    return CLIP


@pytest.fixture(scope="session")
def clip_frames() -> list[np.ndarray]:
    """The clip's frames, decoded directly: RGB (458, 480, 3)."""
    with av.open(str(CLIP)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def write_video(path: Path, images: list[np.ndarray], times: list[float], codec: str = "libx264") -> Path:
    """Encode images with the given timestamps in seconds."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for image, time in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session", name="write_video")
def write_video_fixture() -> object:
    """The function above, for tests that need a clip with timestamps of their own."""
    return write_video


@pytest.fixture(scope="session")
def captured() -> object:
    """The first six frames of the clip through the whole pipeline: a `CaptureResult`."""
    from pose2pose.backend.capture import capture

    return capture(CLIP, end=5, device="cpu")
