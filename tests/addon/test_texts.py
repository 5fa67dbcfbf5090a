"""Words for numbers, and texts over several lines. No bpy needed."""

import pytest

from pose2pose.addon import texts


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (125, "2:05 min"), (5400, "1:30 h")])
def test_durations_are_read_at_a_glance(seconds, text) -> None:
    assert texts.duration(seconds) == text


def test_one_is_not_many() -> None:
    assert [texts.count_people(n) for n in (1, 2)] == ["1 person", "2 people"]
    assert [texts.count_frames(n) for n in (1, 2)] == ["1 frame", "2 frames"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("the range is empty", "The range is empty."),
        ("/clip.mp4: no such file", "/clip.mp4: no such file."),
        ("walk.mp4 is damaged. Convert it.", "walk.mp4 is damaged. Convert it."),
        ("", ""),
    ],
)
def test_sentences_begin_and_end_alike(text, read) -> None:
    assert texts.sentence(text) == read


@pytest.mark.parametrize("width", [180, 300, 600])
def test_texts_are_wrapped_to_the_region(width) -> None:
    text = "The backend cannot be started with /usr/local/somewhere/bin/python: No such file or directory."
    lines = texts.wrap(text, width, 1.0)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) * texts.CHARACTER_WIDTH < max(width, 190) for line in lines)
