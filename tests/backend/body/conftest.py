"""The packaged body and its layer, read once for the tests of this folder's files."""

import pytest

torch = pytest.importorskip("torch")

from pose2pose.backend.body.layer import BodyLayer  # noqa: E402
from pose2pose.backend.motion.body_file import BodyFile, load_body  # noqa: E402


@pytest.fixture(scope="module")
def body() -> BodyFile:
    return load_body()


@pytest.fixture(scope="module")
def layer(body: BodyFile) -> BodyLayer:
    return BodyLayer(body)
