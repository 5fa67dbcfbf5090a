"""From what the weights mean to what a take means: whose shape, and which hand the fingers are relative to.

The weights' metadata say which body model they belong to (`body`) and, as the `smplx` package calls it, whether their
hands are flat at rest (`flat_hand_mean`, true where nothing is said).
"""

from __future__ import annotations

from .motion.body_file import BodyFile
from .motion.mean_hand import HANDS, matrices_relative_to_flat
from .observations import Observations
from .weights import WeightsFile

LICENSED_BODY = "SMPLX_NEUTRAL.npz, free for research after registration at https://smpl-x.is.tue.mpg.de"


def body_model(body: BodyFile) -> str:
    """Which model a body file is of, as weights name it: every file but the packaged one is of SMPL-X."""
    return "open" if body.name == "open" else "smplx"


def settle(people: list[Observations], body: BodyFile, files: list[WeightsFile]) -> list[str]:
    """Turn what the network said into the project's conventions; betas and expression of another body are dropped.

    Args:
        people: with the network's own results, which are changed.
        body: the body that the takes are made for.
        files: the weights that were used.

    Returns:
        Sentences for the user.
    """
    trained_on = {file.metadata["body"] for file in files if "body" in file.metadata}
    from_mean_hand = any(file.metadata.get("flat_hand_mean") == "false" for file in files)
    foreign = body_model(body) not in trained_on
    for person in people:
        if from_mean_hand:
            hands = person.rotations[person.filled, HANDS]
            person.rotations[person.filled, HANDS] = matrices_relative_to_flat(hands, body.hands_mean)
        if foreign:
            person.drop_shape()
    return [_sentence(body, trained_on, from_mean_hand)] if foreign else []


def _sentence(body: BodyFile, trained_on: set[str], from_mean_hand: bool) -> str:
    sentence = f"the weights were not trained on the body '{body.name}': betas and expression are left at zero"
    if from_mean_hand:
        sentence += ", and fingers are bent from this body's relaxed hand in place of the mean hand they belong to"
    return f"{sentence}; give --body {LICENSED_BODY}" if "smplx" in trained_on else sentence
