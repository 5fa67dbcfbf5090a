"""EHF (Pavlakos et al., CVPR 2019): 100 frames of one person with registered SMPL-X meshes; test only.

Layout: `data/EHF.json` (the authors' boxes) beside the release's own `NN_img.jpg` or `.png` and `NN_align.ply`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...backend.motion.rotations import matrix_from_axis_angle
from ..body_models.joint_sets import JointSet
from .coco_layout import HALF_PIXEL, Json, annotated, clipped_box, labeled_sample, read_json, region_boxes
from .ply import read_ply_vertices
from .report import Source, require
from .sample import Sample, Truth
from .table import SampleTable

ROTATION = matrix_from_axis_angle(np.array([-2.98747896, 0.01172457, -0.05704687]))
TRANSLATION = np.array([-0.03609917, 0.43416458, 2.37101226])
"""Scanner to camera, meters (`EHF_camera.txt` of the release)."""
FOCAL = np.array([1498.22426237, 1498.22426237])
PRINCIPAL_POINT = np.array([790.263706, 578.90334]) + HALF_PIXEL

_REGIONS = ("lefthand_bbox", "righthand_bbox", "face_bbox")
_RELEASE = "the EHF download of the SMPL-X website"
_AUTHORS = "the data section of the Hand4Whole repository (EHF)"


class Ehf:
    """One person in each picture, without labels or fits.

    Args:
        root: of the data set.
        joint_set: the whole.

    Raises:
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """

    def __init__(self, *, root: Path, joint_set: JointSet) -> None:
        require(self.sources(root=root))
        self.skipped: Counter[str] = Counter()
        self._folder = root / "data"
        self._joint_set = joint_set
        self._meshes: list[Path] = []
        self._table = SampleTable(self._samples())

    @staticmethod
    def sources(*, root: Path) -> list[Source]:
        """What is read."""
        index, numbers = root / "data" / "EHF.json", ["01"]
        if index.exists():
            numbers = [_number(image) for image, _ in annotated(read_json(index))]
        meshes = [Source(_mesh(root / "data", number), "registered mesh", _RELEASE) for number in numbers]
        return [Source(index, "boxes", _AUTHORS), *meshes]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One picture."""
        return self._table[index]

    def truth(self, index: int) -> Truth:
        """The registered mesh, 10475 vertices in camera axes.

        Raises:
            AnnotationError: its file is damaged.
        """
        return Truth(vertices=read_ply_vertices(self._meshes[index]) @ ROTATION.T + TRANSLATION)

    def _samples(self) -> Iterator[Sample]:
        count = len(self._joint_set.points)
        for image, annotation in annotated(read_json(self._folder / "EHF.json")):
            box = clipped_box(annotation["body_bbox"], image["width"], image["height"])
            if box is None:
                self.skipped["empty box"] += 1
                continue
            self._meshes.append(_mesh(self._folder, _number(image)))
            flags = {f"{key}_known": bool(np.any(annotation[key])) for key in _REGIONS}
            yield labeled_sample(
                name=f"EHF {image['file_name']}, annotation {annotation['id']}",
                image=self._folder / image["file_name"],
                box=box,
                points=(np.zeros((count, 2), np.float32), np.zeros(count, bool)),
                regions=region_boxes({**annotation, **flags}, [(key, f"{key}_known") for key in _REGIONS]),
            )


def _number(image: Json) -> str:
    """01 to 100: what stands before the first underscore of the file's name."""
    return str(image["file_name"]).partition("_")[0]


def _mesh(folder: Path, number: str) -> Path:
    return folder / f"{number}_align.ply"
