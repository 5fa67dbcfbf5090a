"""Rendered crops on disk: files of JPEG pictures and labels, made once and used by every later run.

A shard is an `.npz` without pickle: `jpeg` (all files one after the other), `ends` (where each ends) and the labels.
Its seed follows from its number, so an interrupted run goes on where it stopped and gives the same pictures.
"""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

SHARD = 256
Draw = Callable[[torch.Generator, int], Any]
"""(generator, count) -> a dataclass of tensors with `images` (count, 3, H, W) 0..1 and labels of the same length."""


def render_shards(
    folder: Path, count: int, draw: Draw, *, seed: int, device: torch.device | str = "cpu", name: str
) -> list[Path]:
    """Make the shards that are missing.

    Args:
        folder: where the shards are kept.
        count: number of pictures wanted in all.
        draw: renders pictures.
        seed: of the first shard; later shards count on.
        device: of the random numbers.
        name: of the files.

    Returns:
        The files that hold the first `count` pictures, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in tqdm(range(-(-count // SHARD)), desc=f"render {name}", unit="shard"):
        wanted = min(SHARD, count - number * SHARD)
        path = folder / f"{name}_seed{seed}_{number:04d}_{wanted}.npz"
        if not path.exists():
            generator = torch.Generator(device=device).manual_seed(seed + number)
            _write(path, draw(generator, wanted), np.random.default_rng(seed + number))
        paths.append(path)
    return paths


def read_shard(path: Path) -> dict[str, Tensor]:
    """`images` (N, 3, H, W) 0..1 and the labels of a shard."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    files, ends = arrays.pop("jpeg"), arrays.pop("ends")
    starts = np.concatenate([[0], ends[:-1]])
    images = np.stack([_decode(files[start:end]) for start, end in zip(starts, ends, strict=True)])
    labels = {key: torch.from_numpy(value) for key, value in arrays.items()}
    return {"images": torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, **labels}


def _write(path: Path, sample: Any, random: np.random.Generator) -> None:
    """Each picture with a JPEG quality of its own, as real footage has."""
    pictures = (sample.images.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()
    files = [_encode(picture, int(random.integers(55, 96))) for picture in pictures]
    labels = {
        field.name: getattr(sample, field.name).cpu().numpy() for field in fields(sample) if field.name != "images"
    }
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, jpeg=np.concatenate(files), ends=np.cumsum([len(file) for file in files]), **labels)
    partial.rename(path)


def _encode(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"OpenCV cannot write a JPEG of shape {picture.shape}")
    return np.asarray(data, dtype=np.uint8).ravel()


def _decode(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], dtype=np.uint8)
