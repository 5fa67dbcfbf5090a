"""Weights in and out: the authors' checkpoints become sets of weights, sets become checkpoints, hands change bodies."""

from pathlib import Path

from ..weights import WeightsError
from ..weights_folders import RELEASE
from ..weights_sets import WeightsSet, add_set, find_set, set_tensors
from .checkpoints import read_checkpoint, with_hand, write_checkpoint
from .released_models import RELEASED, ReleasedModel

LICENSE = "MIT (code and weights of the paper's authors); the body model, {body}, has a license of its own"
BODY_TITLES = {"smplx": "SMPL-X", "smpl": "SMPL", "mano": "MANO", "flame": "FLAME"}
WITH_FINGERS = ("hand4whole", "pose2pose_hand")
RULES = {"flat_hand_mean": "false"}
"""The authors' fingers are relative to the mean hand of the body model."""


def import_weights(path: Path, name: str | None = None) -> WeightsSet:
    """Make a set of weights from a checkpoint of the authors.

    Args:
        path: the file, such as `snapshot_6.pth.tar`.
        name: of the set; None for the model's.

    Raises:
        WeightsError: the file is no such checkpoint, or the set cannot be stored.
    """
    checkpoint = read_checkpoint(path)
    model = checkpoint.model
    metadata = {
        "license": LICENSE.format(body=BODY_TITLES[model.body]),
        "source": f"{path.name}, a checkpoint of {RELEASE}",
        "source_sha256": checkpoint.sha256,
        **RULES,
    }
    return add_set(model.name if name is None else name, model, checkpoint.tensors, metadata)


def export_weights(name: str, path: Path) -> ReleasedModel:
    """Write a set in the layout of the authors, so that their code can load it.

    Args:
        name: of the set, or its folder.
        path: the file to write.

    Returns:
        The arrangement that was written.

    Raises:
        WeightsError: the set has another arrangement or another rule for fingers, or the file cannot be written.
    """
    weights = find_set(name)
    model = weights.model
    if weights.missing:
        raise WeightsError(f"{weights.missing[0]} is missing; import it again")
    if model is None:
        raise WeightsError(
            f"the weights {name!r} have the preset {', '.join(weights.presets) or 'none'}; the authors' code has "
            f"other layers and loads only {', '.join(RELEASED)}: train the preset hand4whole to export it"
        )
    if model.name in WITH_FINGERS and any(file.metadata.get("flat_hand_mean") != "false" for file in weights.files):
        raise WeightsError(
            f"the fingers of {name!r} are relative to flat hands, but the authors' code adds the mean hand to them; "
            "weights for export are trained with fingers relative to the mean hand (flat_hand_mean = false)"
        )
    write_checkpoint(model, set_tensors(weights, model), path)
    return model


def merge_weights(whole: str, hand: str, name: str) -> WeightsSet:
    """Put a hand model into a whole-body one under a new name; see `checkpoints.with_hand` for what carries over.

    Args:
        whole: a set of `hand4whole`.
        hand: a set of `pose2pose_hand`.
        name: of the new set.

    Raises:
        WeightsError: a set is missing or of another arrangement, or the new one cannot be stored.
    """
    parts = {"hand4whole": find_set(whole), "pose2pose_hand": find_set(hand)}
    for model_name, weights in parts.items():
        if weights.model is not RELEASED[model_name]:
            found = ", ".join(weights.presets) or "none"
            raise WeightsError(
                f"merging takes weights of {model_name} here, but those of {weights.name!r} are of {found}"
            )
    tensors = [set_tensors(weights, RELEASED[model_name]) for model_name, weights in parts.items()]
    metadata = {
        "license": LICENSE.format(body=BODY_TITLES["smplx"]),
        "source": f"{whole} with the hand network of {hand}; to be trained on: its body has not seen these hands",
        **RULES,
    }
    return add_set(name, RELEASED["hand4whole"], with_hand(*tensors), metadata)
