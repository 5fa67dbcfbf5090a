"""A data set of rendered people on disk: pictures, and one file of labels that holds for all of them.

`FOLDER/images/00000000.jpg` and on; `FOLDER/people.npz` (without pickle) once all are there. Until then the labels lie
in `FOLDER/shards`, a file for every 64 pictures, and a run that was interrupted goes on after the last of them. Picture
i depends on the seed and on i only, so that a longer set begins with a shorter one.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .people import People, PeopleSampler
from .whole_labels import whole_labels

SHARD = 64
AT_ONCE = 8
"""Pictures that are drawn from one generator; part of what picture i is."""
QUALITY = 92
"""Of the files. Most pictures went through a worse JPEG before, as the frames of real footage did."""
WORSE = (0.6, 30, 96)
"""Share of those, and the range of their quality."""

RENDERER = 2
"""Raised whenever the same random numbers give other pictures: a set is never continued with another look."""

Arrays = dict[str, NDArray[Any]]
Settings = dict[str, Any]


class PictureSetError(ValueError):
    """A folder that cannot be continued as asked."""


def write_pictures(
    folder: Path,
    count: int,
    sampler: PeopleSampler,
    *,
    seed: int,
    settings: Settings,
    body: str,
    command: str,
    device: torch.device | str = "cpu",
    report: Callable[[int], Any] = lambda _: None,
) -> Path:
    """Render what is missing of a data set and write its labels.

    Args:
        folder: where it is or will be.
        count: number of pictures.
        sampler: renders.
        seed: of the set.
        settings: what the pictures depend on; a folder that was made with others is not touched.
        body: name of the body model, to be kept with the labels.
        command: to be kept with them too.
        device: of the random numbers.
        report: called with the number of pictures that were finished.

    Returns:
        The file of labels.

    Raises:
        PictureSetError: the folder holds a set with other settings.
    """
    claim(folder, {**settings, "seed": seed})
    paths = []
    for number in range(-(-count // SHARD)):
        path = folder / "shards" / f"{number:06d}.npz"
        if not path.exists():
            _save(path, _write_shard(folder / "images", number, sampler, seed, device, report))
        else:
            report(SHARD)
        paths.append(path)
    labels = folder / "people.npz"
    origin = {"body": np.array(body), "seed": np.array(seed), "command": np.array(command)}
    _save(labels, {**_joined(paths, count), **origin})
    for surplus in range(count, len(paths) * SHARD):
        _picture_path(folder / "images", surplus).unlink(missing_ok=True)
    return labels


def draw_people(
    sampler: PeopleSampler, seed: int, first: int, count: int, device: torch.device | str = "cpu"
) -> Iterator[People]:
    """The people of pictures `first` to `first + count`, `AT_ONCE` at a time; `first` is a multiple of that."""
    for start in range(first, first + count, AT_ONCE):
        (number,) = np.random.SeedSequence([seed, start // AT_ONCE]).generate_state(1, np.uint64)
        generator = torch.Generator(device=device).manual_seed(int(number >> np.uint64(1)))
        yield sampler.sample(generator, AT_ONCE, AT_ONCE)


def compressed(people: People, seed: int, first: int) -> list[NDArray[np.uint8]]:
    """The JPEG files of pictures `first` and on."""
    pictures = (people.images.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy()[..., ::-1]
    files = []
    for number, picture in enumerate(pictures, start=first):
        random = np.random.default_rng([seed, number])
        share, worst, best = WORSE
        if random.random() < share:
            picture = _decoded(encoded(picture, int(random.integers(worst, best))))
        files.append(encoded(picture))
    return files


def encoded(picture: NDArray[np.uint8], quality: int = QUALITY) -> NDArray[np.uint8]:
    """(H, W, 3) BGR -> a JPEG file."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise PictureSetError(f"OpenCV cannot write a JPEG of shape {picture.shape}")
    return np.asarray(data, dtype=np.uint8).ravel()


def claim(folder: Path, settings: Settings) -> None:
    """Note in a folder what is rendered into it; one with a note is gone on with.

    Raises:
        PictureSetError: its note says otherwise.
    """
    settings = {**settings, "renderer": RENDERER}
    path = folder / "settings.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1) + "\n")
        return
    found = json.loads(path.read_text())
    for key, wanted in settings.items():
        if found.get(key) != wanted:
            raise PictureSetError(
                f"{folder} holds a set with {key} {found.get(key)!r}, asked is {wanted!r}; take another folder"
            )


def _write_shard(
    images: Path, number: int, sampler: PeopleSampler, seed: int, device: torch.device | str,
    report: Callable[[int], Any],
) -> Arrays:  # fmt: skip
    images.mkdir(parents=True, exist_ok=True)
    first = number * SHARD
    parts: list[Arrays] = []
    for people in draw_people(sampler, seed, first, SHARD, device):
        start = first + AT_ONCE * len(parts)
        for place, data in enumerate(compressed(people, seed, start), start=start):
            _picture_path(images, place).write_bytes(data.tobytes())
        parts.append(whole_labels(people))
        report(AT_ONCE)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _picture_path(images: Path, number: int) -> Path:
    return images / f"{number:08d}.jpg"


def _joined(paths: list[Path], count: int) -> Arrays:
    parts: dict[str, list[NDArray[Any]]] = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as archive:
            for key in archive.files:
                parts.setdefault(key, []).append(archive[key])
    return {key: np.concatenate(values)[:count] for key, values in parts.items()}


def _save(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    partial.replace(path)


def _decoded(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
