"""The folder of a run: whose it is, what a checkpoint in it holds, and the weights that it ends with."""

from pathlib import Path
from typing import Any

from ...backend.version import VERSION
from ..checkpoint import checkpoints, export_weights, load_checkpoint, whole_file
from ..config import Config, config_differences, config_toml, load_config
from ..engine import Learner
from .learner import is_the_papers

CONFIG_FILE = "config.toml"
BODIES = {"whole": "smplx", "body": "smpl", "hand": "mano", "face": "flame"}
"""What the headers of weights call the licensed models."""


class RunError(RuntimeError):
    """The folder of a run cannot be used."""


def check_run(config: Config, run: Path) -> None:
    """Check that a folder is new, or a run of the same configuration.

    Raises:
        RunError: it holds another run, or something else.
    """
    known = run / CONFIG_FILE
    if known.exists():
        differing = config_differences(load_config(known), config)
        if differing:
            raise RunError(
                f"{run} holds a run with other values (there and here: {'; '.join(differing)}); choose another -o, or "
                f"go on with it: pose2pose-train train {known} -o {run}"
            )
    elif run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise RunError(f"{run} is there and is no run of this program; choose another -o")


def claim_run(config: Config, run: Path) -> None:
    """Make the folder of a run, and keep all values of its configuration in it."""
    run.mkdir(parents=True, exist_ok=True)
    with whole_file(run / CONFIG_FILE) as partial:
        partial.write_text(config_toml(config), encoding="utf-8")


def restore(learner: Learner, run: Path) -> int:
    """Fill a learner from the newest checkpoint; returns how many steps are done, 0 without a checkpoint.

    Raises:
        CheckpointError: it cannot be read.
    """
    found = checkpoints(run)
    if not found:
        return 0
    state = load_checkpoint(found[-1])
    learner.network.load_state_dict(state["network"])
    learner.optimizer.load_state_dict(state["optimizer"])
    if learner.average is not None:
        learner.average.load_state_dict(state["average"])
    return int(state["step"])


def snapshot(learner: Learner, done: int) -> dict[str, Any]:
    """What a checkpoint holds after so many steps. All else of a step follows from its number (`engine`, `loading`)."""
    average = None if learner.average is None else learner.average.state_dict()
    network, optimizer = learner.network.state_dict(), learner.optimizer.state_dict()
    return {"step": done, "network": network, "optimizer": optimizer, "average": average}


def export(learner: Learner, config: Config, folder: Path) -> None:
    """Write the weights, of the moving average if there is one."""
    network = learner.network if learner.average is None else learner.average.module
    body = BODIES[config.network.part] if config.models.folder else "open"
    metadata = {
        "body": body,
        "training_data": ", ".join(source.name for source in config.data.train),
        "license": "that of the training data and of the body model",
        "config": config_toml(config),
        "version": VERSION,
    }
    export_weights(network, folder, "paper" if is_the_papers(config.network) else None, metadata)
