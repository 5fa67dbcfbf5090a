"""What is found when a data set is checked: its files, samples, pictures, and a sheet to look at."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ..augmentation import Draw
from ..body_models.human_models import HumanModel
from ..body_models.model_files import MissingModelError
from ..config import Config, Source
from ..datasets.build import build_samples, data_sources
from ..datasets.catalog import DataError
from ..datasets.coco_layout import AnnotationError
from ..datasets.ehf import FOCAL, PRINCIPAL_POINT, Ehf
from ..datasets.report import CheckedSamples, missing
from ..pictures import Image, SampleError
from ..transforms import Example, Prepare
from .check_sheet import Mesh, assemble, draw_row, fitted_mesh, seen

COLUMNS = 2
"""Of a sheet."""


@dataclass(frozen=True)
class Finding:
    """What was found about one data set: sentences, and those that say what is wrong."""

    title: str
    facts: list[str]
    problems: list[str]


def check_entry(
    entry: Source,
    config: Config,
    model: HumanModel,
    models: Path | None,
    folder: Path,
    *,
    opened: int | None,
    drawn: int,
) -> Finding:
    """Check one data set.

    Args:
        entry: of `data.train` or `data.test`.
        config: the experiment.
        model: its human model.
        models: folder of the licensed ones.
        folder: for the sheet.
        opened: how many samples are opened; None for all.
        drawn: how many are drawn.
    """
    title, root = f"{entry.name} {entry.split}", Path(config.data.root)
    try:
        absent = missing(data_sources(entry, root=root, model=model))
        if absent:
            return Finding(
                title, [], [f"missing {source.path}: {source.what}; from {source.origin}" for source in absent]
            )
        samples = build_samples(entry, root=root, model=model, models=models)
    except (DataError, AnnotationError, MissingModelError) as error:
        return Finding(title, [], [str(error)])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        return Finding(title, [], [f"its annotations are not laid out as expected ({said}); get them again"])
    if not len(samples):
        return Finding(title, [], [f"no sample is left; left out: {_left_out(samples) or 'nothing'}"])
    facts, problems = _count(samples)
    prepare = Prepare(joint_set=model.joint_set, size=config.network.picture_size, augmentation=None)
    problems += _open(samples, prepare, _spread(len(samples), opened), title, facts, config.data.workers)
    sheet = folder / f"{entry.name}-{entry.split}.png"
    distances = _draw(samples, prepare, model, _spread(len(samples), drawn), sheet)
    if len(distances):
        facts.append(
            f"fits and labels lie {100 * np.median(distances):.1f} % of the crop's height apart (median of points)"
        )
    return Finding(title, [*facts, f"sheet: {sheet}"] if sheet.exists() else facts, problems)


def _count(samples: CheckedSamples) -> tuple[list[str], list[str]]:
    """Facts, and pictures that are not there."""
    pictures: dict[Path, str] = {}
    fits = labels = motion = 0
    for sample in (samples[index] for index in range(len(samples))):
        pictures.setdefault(sample.image, sample.name)
        fits += sample.fit is not None
        labels += bool(sample.points_valid.any())
        motion += bool(sample.points_3d_valid.any())
    facts = [
        f"{len(samples)} samples in {len(pictures)} pictures",
        f"{labels} with labeled points, {motion} of them in 3D, {fits} with a fit",
    ]
    if _left_out(samples):
        facts.append(f"left out: {_left_out(samples)}")
    absent = [
        f"{name}: {path} is missing; get the pictures again" for path, name in pictures.items() if not path.exists()
    ]
    return facts, absent


def _open(
    samples: CheckedSamples, prepare: Prepare, indices: Sequence[int], title: str, facts: list[str], workers: int
) -> list[str]:
    """What cannot be used among the samples of some indices whose pictures are there."""

    def tried(index: int) -> str | None:
        try:
            prepare.changed(samples[index], Draw())
        except SampleError as error:
            return str(error)
        return None

    indices = [index for index in indices if samples[index].image.exists()]  # what is missing was told already
    with ThreadPoolExecutor(max(1, workers)) as pool:
        bar = tqdm(pool.map(tried, indices), total=len(indices), desc=title, unit="picture", dynamic_ncols=True)
        problems = [problem for problem in bar if problem is not None]
    facts.append(f"{len(indices)} of {len(samples)} samples opened, {len(problems)} cannot be used")
    return problems


def _draw(
    samples: CheckedSamples, prepare: Prepare, model: HumanModel, indices: Sequence[int], path: Path
) -> list[float]:
    """Write the sheet; distances of labels from the points of the fits, as shares of the crop's height."""
    rows: list[Image] = []
    distances: list[float] = []
    for index in indices:
        sample = samples[index]
        flip = not sample.mirrored and bool(model.joint_set.point_pairs)
        changes = (Draw(), Draw(scale=1.1, turn=0.5, color=(1.1, 1.0, 0.9), flip=flip))
        try:
            examples = [prepare.changed(sample, change) for change in changes]
        except SampleError:
            continue  # told already, or found with --all
        meshes = [fitted_mesh(example, model) or _true_mesh(samples, index, example) for example in examples]
        rows.append(draw_row(sample.name, examples, meshes, model.faces))
        distances += _apart(examples[0], meshes[0], prepare.size)
    path.unlink(missing_ok=True)
    if rows:
        cv2.imwrite(str(path), cv2.cvtColor(assemble(rows, COLUMNS), cv2.COLOR_RGB2BGR))
    return distances


def _true_mesh(samples: CheckedSamples, index: int, example: Example) -> Mesh | None:
    """The registered mesh of EHF, the one set without fits whose camera is known."""
    if not isinstance(samples, Ehf):
        return None
    vertices = samples.truth(index).vertices
    if vertices is None:
        return None
    return Mesh(seen(vertices, FOCAL, PRINCIPAL_POINT, example), vertices, np.zeros((0, 2)), np.zeros(0, bool))


def _apart(example: Example, mesh: Mesh | None, size: tuple[int, int]) -> list[float]:
    if mesh is None or not len(mesh.points):
        return []
    both = mesh.points_valid & example["points_valid"].numpy()
    distances = np.linalg.norm(mesh.points[both] - example["points"].numpy()[both], axis=1)
    shares: list[float] = (distances / size[0]).tolist()
    return shares


def _spread(count: int, wanted: int | None) -> list[int]:
    """Indices evenly over all samples."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, wanted or count))})


def _left_out(samples: CheckedSamples) -> str:
    return ", ".join(f"{count} ({reason})" for reason, count in samples.skipped.items() if count)
