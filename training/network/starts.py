"""First weights of the ResNets and of the hand branch (paper section 4), read without running anything in the files.

Three layouts are known: torchvision's ResNet (ImageNet), the 2D pose ResNet of Xiao et al. 2018
(`pose_resnet_50_256x192.pth.tar`), and a network of this package, such as a hand network that was trained alone.
"""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - the error alone, which torch raises

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...backend.model.backbones import ResNetBackbone
from ...backend.model.hand import HandBranch
from ...backend.model.parts import LimbNet
from .settings import NetworkConfig

State = dict[str, Tensor]

STEM = {"conv1": "0", "bn1": "1", **{f"layer{i}": str(3 + i) for i in range(1, 5)}}
"""Names of a ResNet's parts in its published files, and their places in `ResNetBackbone.layers`."""
HEADS = ("fc.", "deconv_layers.", "final_layer.")
"""What published files hold beyond the ResNet: a classifier, or upsampling to 2D heat maps."""
NESTED = ("state_dict", "average", "network", "model")
"""Where files keep their tensors if they hold more; a moving average is what a run's exported weights are of."""
COUNTER = "n_averaged"
"""What a moving average keeps besides."""


class StartError(ValueError):
    """A file of first weights that cannot be used; the text says what is wrong with it."""


def load_starts(network: nn.Module, config: NetworkConfig) -> None:
    """Fill the branches for which the configuration names a file.

    Raises:
        StartError: a file is missing, of another layout, or of another depth; or the network has no such branch.
    """
    files = {"body": config.body_start, "hand": config.hand_start, "face": config.face_start}
    for name, file in files.items():
        if not file:
            continue
        branch = _branch(network, name, config)
        state = read_state(Path(file))
        if any(key.startswith("position.backbone.") for key in state):
            load_hand_part(branch, state, file)
        else:
            load_resnet(_backbone(branch), state, file)


def read_state(file: Path) -> State:
    """The tensors of a `.safetensors` file or of one written by `torch.save`, without `module.` before their names.

    Raises:
        StartError: there are none.
    """
    try:
        state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError, SafetensorError) as error:
        raise StartError(f"cannot read the first weights {file}: {error}") from error
    for name in NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise StartError(f"{file} holds no tensors by name; expected the state of a ResNet or of a network")
    return {str(name).removeprefix("module."): value for name, value in state.items() if name != COUNTER}


def load_resnet(backbone: ResNetBackbone, state: State, file: str) -> None:
    """A ResNet in the names of torchvision, which Xiao et al. use too; heads behind it are left out.

    Raises:
        StartError: the file is not of this ResNet.
    """
    renamed = {}
    for name, value in state.items():
        start, _, rest = name.partition(".")
        if start in STEM:
            renamed[f"{STEM[start]}.{rest}"] = value
        elif not name.startswith(HEADS):
            raise StartError(f"{file} is no ResNet of torchvision and no 2D pose ResNet: it has a tensor '{name}'")
    _load(backbone.layers, renamed, file, "another ResNet: its depth has to be that of the configuration")


def load_hand_part(hand: nn.Module, state: State, file: str) -> None:
    """A hand network that was trained alone; a hand branch takes its fingers' rotations and leaves the wrist's.

    Raises:
        StartError: it is a network of another kind.
    """
    if not isinstance(hand, HandBranch | LimbNet):
        raise StartError(f"{file} is a hand network; it can only be the start of a hand")
    own = hand.state_dict()
    wanted = {name: value for name, value in state.items() if name in own or isinstance(hand, LimbNet)}
    if isinstance(hand, HandBranch):
        for name in ("rotation.linear.weight", "rotation.linear.bias"):
            if name in wanted:
                wanted[name] = wanted[name][-len(own[name]) :]
    _load(hand, wanted, file, "a hand network of another configuration")


def _load(module: nn.Module, state: State, file: str, otherwise: str) -> None:
    own = module.state_dict()
    # older files do not count their batches
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and state[name].shape != own[name].shape]
    for what, names in (("lacks", missing), ("also has", unknown), ("has another shape of", shapes)):
        if names:
            raise StartError(f"{file} {what} '{names[0]}' ({len(names)} in all): it is {otherwise}")
    module.load_state_dict(state, strict=False)


def _branch(network: nn.Module, name: str, config: NetworkConfig) -> nn.Module:
    if config.part == "whole" and name in config.trained:
        whole = getattr(network, "network", network)
        branch: nn.Module = getattr(whole, name)
        return branch
    if config.part != name:
        raise StartError(f"{name}_start is given, but a network of part {config.part!r} has no such branch")
    return network


def _backbone(branch: nn.Module) -> ResNetBackbone:
    found = [module for module in branch.modules() if isinstance(module, ResNetBackbone)]
    return found[0]
