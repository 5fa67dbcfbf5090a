"""What a face looks like all the time is taken for its rest."""

import dataclasses

import numpy as np
import pytest

from pose2pose.backend.face_neutral import LIMITS, without_rest
from pose2pose.backend.motion.body_file import load_body

BODY = load_body()
TIMES = np.arange(120) / 30
SEEN = np.ones(120, dtype=bool)


def unit(name: str) -> int:
    return BODY.expression_names.index(name)


def test_every_expression_of_the_open_body_has_a_limit():
    assert set(BODY.expression_names) == set(LIMITS)


def test_low_brows_that_rise_once_become_a_raise_from_rest():
    expression = np.zeros((120, 10))
    expression[:, unit("brow_raise")] = -0.5
    expression[50:70, unit("brow_raise")] = 0.2
    measured = without_rest(expression, SEEN, TIMES, BODY)[:, unit("brow_raise")]
    np.testing.assert_allclose(measured[:50], 0, atol=1e-9)
    np.testing.assert_allclose(measured[50:70], 0.7, atol=1e-9)


def test_a_smile_through_the_whole_take_stays_a_smile():
    expression = np.zeros((120, 10))
    expression[:, unit("smile")] = 1.0
    assert without_rest(expression, SEEN, TIMES, BODY)[:, unit("smile")].min() >= 0.8 - 1e-9


def test_half_a_take_of_smiling_changes_nothing():
    expression = np.zeros((120, 10))
    expression[60:, unit("smile")] = 1.0
    np.testing.assert_array_equal(without_rest(expression, SEEN, TIMES, BODY), expression)


@pytest.mark.parametrize("seen", [0, 30])
def test_a_face_hardly_seen_is_left_as_it_is(seen: int):
    expression = np.full((120, 10), 0.4)
    np.testing.assert_array_equal(without_rest(expression, np.arange(120) < seen, TIMES, BODY), expression)


def test_expressions_without_names_are_left_as_they_are():
    body = dataclasses.replace(BODY, expression_names=tuple(str(k) for k in range(10)))
    expression = np.full((120, 10), 0.4)
    np.testing.assert_array_equal(without_rest(expression, SEEN, TIMES, body), expression)
