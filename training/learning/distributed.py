"""One process or many: `torchrun` starts one for each GPU, this module lets them work as one (DistributedDataParallel).

Without `torchrun` there is one process and nothing here talks to anybody.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ...backend.device import DeviceError, pick_device


@dataclass(frozen=True)
class Team:
    """The processes of a training.

    Attributes:
        rank: which of them this one is, from 0; 0 writes files.
        count: how many there are.
        device: of this process.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def joined(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over the processes in every backward pass."""
        if self.count == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices)

    def alone(self, module: nn.Module) -> AbstractContextManager[None]:
        """Gradients that other processes do not hear of yet: all parts but the last of an accumulated batch."""
        quiet: AbstractContextManager[None] = (
            module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()
        )
        return quiet

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, float]:
        """Numbers, averaged over the processes; every process must ask for the same names."""
        stacked = torch.stack([value.detach().float().to(self.device) for value in values.values()])
        if self.count > 1:
            dist.all_reduce(stacked)
            stacked /= self.count
        return dict(zip(values, stacked.tolist(), strict=True))


@contextmanager
def join_team(device: str) -> Iterator[Team]:
    """Meet the other processes that `torchrun` has started; within the block they can be talked to.

    Args:
        device: auto, cpu, cuda or mps. Of several GPUs each process takes the one of its local rank.

    Raises:
        DeviceError: the device is missing, or there are more processes than GPUs.
    """
    chip, count = pick_device(device), int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Team(0, 1, chip)
        return
    if chip.type == "mps":
        raise DeviceError(
            "MPS cannot be shared by several processes; train with schedule.device=cpu, or in one process"
        )
    if chip.type == "cuda":
        chip = _own_gpu(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if chip.type == "cuda" else "gloo")
    try:
        yield Team(dist.get_rank(), count, chip)
    finally:
        dist.destroy_process_group()


def _own_gpu(local_rank: int) -> torch.device:
    gpus = torch.cuda.device_count()
    if local_rank >= gpus:
        raise DeviceError(f"process {local_rank} has no GPU, this machine has {gpus}: torchrun --nproc-per-node={gpus}")
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device
