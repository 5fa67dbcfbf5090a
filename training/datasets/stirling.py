"""Stirling/ESRC 3D faces (Feng et al., FG 2018): pictures of high and low quality with scans and landmarks; test only.

Layout: `Subset_2D_FG2018/{HQ,LQ}/F1001_001.jpg`, scans `{F,M}_3D_N/F1001_N.obj`, landmarks
`annotations/{F,M}_3D_N/F1001_N.lnd`, in names of any case, and `boxes.json` of a face detector (the paper takes
RetinaFace's; the benchmark has none): `{"HQ/F1001_001.jpg": [x, y, width, height], ...}`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..body_models.joint_sets import JointSet
from .coco_layout import HALF_PIXEL, AnnotationError, labeled_sample, read_json
from .report import Source, require
from .sample import Sample, Truth
from .table import SampleTable

PICTURES = "Subset_2D_FG2018"
SCANS = ("F_3D_N", "M_3D_N")
"""Women and men, neutral expression."""
LANDMARKS = 7

_BENCHMARK = "the page of the 3D face reconstruction benchmark of FG 2018 (Stirling/ESRC 3D)"


class Stirling:
    """Faces without labels; pictures without a scan, landmarks or a box are left out.

    Args:
        root: of the data set.
        split: HQ or LQ.
        joint_set: the face.

    Raises:
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """

    def __init__(self, *, root: Path, split: str, joint_set: JointSet) -> None:
        require(self.sources(root=root, split=split))
        self.skipped: Counter[str] = Counter()
        self._joint_set = joint_set
        self._truths: list[Truth] = []
        self._table = SampleTable(self._samples(root, split))

    @staticmethod
    def sources(*, root: Path, split: str) -> list[Source]:
        """What a split is read from."""
        return [
            Source(root / PICTURES / split, "pictures", _BENCHMARK),
            *(Source(root / name, "scans", _BENCHMARK) for name in SCANS),
            *(Source(root / "annotations" / name, "landmarks of the scans", _BENCHMARK) for name in SCANS),
            Source(root / "boxes.json", "x, y, width, height of each face", "any face detector, such as RetinaFace"),
        ]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One face."""
        return self._table[index]

    def truth(self, index: int) -> Truth:
        """The scan's file and its seven landmarks."""
        return self._truths[index]

    def _samples(self, root: Path, split: str) -> Iterator[Sample]:
        scans = _by_subject(root, SCANS, ".obj")
        landmarks = _by_subject(root / "annotations", SCANS, ".lnd")
        boxes = {key.lower(): box for key, box in read_json(root / "boxes.json").items()}
        count = len(self._joint_set.points)
        for image in sorted((root / PICTURES / split).iterdir()):
            if image.suffix.lower() not in (".jpg", ".jpeg", ".png"):
                continue
            subject = image.stem.partition("_")[0].lower()
            found = scans.get(subject), landmarks.get(subject), boxes.get(f"{split}/{image.name}".lower())
            for what, thing in zip(("scan", "landmarks", "box"), found, strict=True):
                if thing is None:
                    self.skipped[f"no {what}"] += 1
            scan, points, box = found
            if scan is None or points is None or box is None:
                continue
            self._truths.append(Truth(scan=scan, landmarks=read_landmarks(points)))
            x, y, width, height = box
            yield labeled_sample(
                name=f"Stirling {split}/{image.name}",
                image=image,
                box=np.array([x, y, x + width, y + height], np.float32) + np.float32(HALF_PIXEL),
                points=(np.zeros((count, 2), np.float32), np.zeros(count, bool)),
            )


def read_landmarks(path: Path) -> NDArray[np.float64]:
    """(7, 3) millimeters from a `.lnd` file, whose lines are index, x, y, z.

    Raises:
        AnnotationError: it has other lines.
    """
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        points = np.array([[float(word) for word in row[1:]] for row in rows])
    except ValueError as error:
        raise AnnotationError(f"{path} holds what is no number ({error}); get it again") from error
    if points.shape != (LANDMARKS, 3):
        raise AnnotationError(f"{path} must hold 7 lines of an index and 3 numbers. Got {len(rows)} lines")
    return points


def _by_subject(folder: Path, names: tuple[str, ...], suffix: str) -> dict[str, Path]:
    """Files by the subject in their names (`F1001_N.obj` is of f1001), whatever their case."""
    files = (file for name in names for file in sorted((folder / name).iterdir()) if file.suffix.lower() == suffix)
    return {file.stem.partition("_")[0].lower(): file for file in files}
