"""The terms that energies of motion share, and the descent that minimizes them."""

import pytest

torch = pytest.importorskip("torch")

from pose2pose.backend.descent import acceleration, descend, huber, robust, steady, trust  # noqa: E402


def test_the_descent_finds_the_least_and_says_how_far_it_is() -> None:
    shares: list[float] = []
    start = [torch.zeros(3), torch.zeros(())]
    found = descend(
        lambda a, b: (a - 2).square().sum() + (b + 1).square(), start, [0.1, 0.2], steps=200, report=shares.append
    )
    torch.testing.assert_close(found[0], torch.full((3,), 2.0), atol=0.01, rtol=0)
    torch.testing.assert_close(found[1], torch.tensor(-1.0), atol=0.01, rtol=0)
    assert shares == sorted(shares) and len(shares) == 200 and shares[-1] == 1


def test_steady_motion_has_no_acceleration_however_uneven_its_frames() -> None:
    times = torch.tensor([0.0, 1.0, 1.5, 4.0])
    torch.testing.assert_close(acceleration(3 * times[:, None], times), torch.zeros(2))
    torch.testing.assert_close(acceleration(times[:, None].square(), times), torch.full((2,), 4.0))


def test_large_errors_pull_with_constant_force() -> None:
    errors = torch.tensor([0.1, 1.0, 2.0])
    torch.testing.assert_close(huber(errors, 0.5), torch.tensor([0.01, 0.75, 1.75]))


def test_a_pull_saturates() -> None:
    near, far = (robust(torch.full((1, 1, 6), size), 0.25) for size in (0.01, 100.0))
    assert near.item() == pytest.approx(0.0006, rel=0.01)
    assert far.item() == pytest.approx(0.25, rel=0.01)


def test_trust_rises_between_its_scores() -> None:
    assert trust(torch.tensor([0.1, 0.2, 0.4, 0.6, 0.9]), 0.2, 0.6).tolist() == pytest.approx([0, 0, 0.5, 1, 1])


def test_one_flipped_frame_leaves_no_trace() -> None:
    values = torch.zeros(11, 2)
    values[5] = 1.0
    torch.testing.assert_close(steady(values, torch.arange(11) / 30, 0.05), torch.zeros(11, 2))
    assert torch.equal(steady(values[5:7], torch.arange(2) / 30, 0.05), values[5:7])
