"""From a configuration to everything that takes part in a step; configuration of the training ends here."""

from dataclasses import asdict, replace
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ...backend.model.boxes import HIGH_RESOLUTION
from ..body_models.human_models import HumanModel
from ..config import Config
from ..datasets.sample import Samples
from ..engine import Learner, set_training
from ..losses import Terms, View, part_losses, whole_losses
from ..network.build import build_network
from ..network.initial import TwoStageOutput
from ..network.settings import NetworkConfig
from ..targets import Batch, only_branches, targets_of
from .distributed import Team

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
REPEATED = ("betas", "left_hand_box", "right_hand_box", "face_box")
"""Terms of an initial prediction that are those of the final one."""


def build_learner(config: Config, model: HumanModel, samples: Samples, team: Team) -> Learner:
    """A network at its start with its loss and its optimizer: Adam (section 4).

    Args:
        config: of the run.
        model: the human model of the network's part, on the team's device.
        samples: of the training.
        team: the processes that learn together; all start with the same weights.
    """
    torch.manual_seed(config.schedule.seed)
    layout = torch.channels_last if config.schedule.channels_last else torch.contiguous_format
    network = build_network(config.network).to(team.device)
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    frozen = config.schedule.batch_norm == "frozen"
    set_training(network, frozen_norm=frozen)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    average = get_ema_multi_avg_fn(config.schedule.ema) if config.schedule.ema else None
    return Learner(
        network=network,
        module=team.joined(network),
        optimizer=torch.optim.Adam(learning, config.schedule.rate),
        average=AveragedModel(network, multi_avg_fn=average, use_buffers=True) if average else None,
        losses=Losses(model=model, view=build_view(config.network), branches=config.network.trained),
        weights=asdict(config.losses),
        precision=PRECISIONS[config.schedule.precision],
        memory_format=layout,
        frozen_norm=frozen,
        team=team,
        samples=samples,
    )


def build_view(network: NetworkConfig) -> View:
    """How a network sees, in pixels of the crops; the focal length is that of the branch's own picture."""
    return View(
        size=network.picture_size,
        focal=network.focal * (HIGH_RESOLUTION if network.part == "whole" else 1.0),
        hand_size=network.hand_size,
        axes=2 if "positions-2d" in network.rotation_inputs else 3,
    )


class Losses:
    """The terms of the loss for any of the networks.

    Args:
        model: the human model that predictions and fits are posed with.
        view: of the network.
        branches: of body, hand, face: those that learn, if the network has them.
    """

    def __init__(self, *, model: HumanModel, view: View, branches: tuple[str, ...]) -> None:
        self.model = model
        self.view = view
        self.branches = branches

    def __call__(self, output: Any, batch: Batch) -> Terms:
        """The output of a network for a batch -> terms; those of an initial prediction begin with `initial.`."""
        targets = targets_of(batch, self.model)
        if self.model.joint_set.name != "whole":
            return part_losses(output, targets, self.model, self.view)
        targets = only_branches(targets, self.model.joint_set, self.branches)
        if not isinstance(output, TwoStageOutput):
            return whole_losses(output, targets, self.model, self.view)
        others = [branch for branch in self.branches if branch != "body"]  # the body's answer is the final one already
        first = whole_losses(
            output.initial, only_branches(targets, self.model.joint_set, others), self.model, self.view
        )
        initial = {f"initial.{name}": term for name, term in first.items() if name not in REPEATED}
        return whole_losses(output.final, targets, self.model, self.view) | initial


def is_the_papers(network: NetworkConfig) -> bool:
    """Whether it computes what the preset `paper` of the capture does: where it starts and how it learns aside."""
    return replace(network.without_starts(), detach=()) == NetworkConfig()
