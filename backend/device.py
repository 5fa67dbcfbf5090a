"""Which device computes, and in which precision."""

import torch

DEVICE_NAMES = ("auto", "cpu", "cuda", "mps")


class DeviceError(Exception):
    """A device that this machine or this build of torch does not have."""


def pick_device(name: str = "auto") -> torch.device:
    """Turn a user's choice into a device.

    Args:
        name: "auto" takes CUDA, then MPS, then the CPU; "cpu", "cuda" and "mps" insist.

    Raises:
        DeviceError: if the name is unknown or the device is missing.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    if name not in available:
        raise DeviceError(f"unknown device {name!r}; choose one of {', '.join(DEVICE_NAMES)}")
    if not available[name]:
        raise DeviceError(f"torch {torch.__version__} finds no {name} device here; choose auto or cpu")
    return torch.device(name)


def inference_dtype(device: torch.device) -> torch.dtype:
    """The precision in which a network's convolutions should run for inference, under `torch.autocast`.

    float16 on CUDA: its rounding moves keypoints of the person detector by 0.02 pixels on average and 0.25 at most.
    bfloat16 moves them by up to 7 and is no faster on a CPU with avx512_bf16, so CPUs compute in float32.
    """
    return torch.float16 if device.type == "cuda" else torch.float32
