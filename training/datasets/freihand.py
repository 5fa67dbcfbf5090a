"""FreiHAND v2 (Zimmermann et al., ICCV 2019) as parsed by the paper's authors: right hands with MANO parameters.

Layout: `data/training/rgb`, `data/evaluation/rgb`, `data/freihand_{train,eval}_{coco,data}.json` (the authors' files),
for the evaluation also `data/evaluation_{xyz,verts}.json` (FreiHAND's own truth, published later) and
`rootnet_output/bbox_root_freihand_output.json` (boxes of a Mask R-CNN, already grown).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body_models.joint_sets import JointSet
from ..pictures import MARGIN
from .coco_layout import HALF_PIXEL, Json, annotated, clipped_box, labeled_sample, read_json
from .fits import read_fit
from .report import Source, require
from .sample import Array, Sample, Truth
from .table import SampleTable

_AUTHORS = "the data section of the Hand4Whole repository (FreiHAND)"
_FREIHAND = "the FreiHAND page of the University of Freiburg (data set v2, evaluation set with annotations)"


class FreiHandTraining:
    """130240 pictures of 32560 hands; only the fit supervises, as in the authors' release.

    Args:
        root: of the data set.
        joint_set: the hand.
        mean_pose: (16, 3) of MANO, which the files leave off.

    Raises:
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """

    def __init__(self, *, root: Path, joint_set: JointSet, mean_pose: Array) -> None:
        require(self.sources(root=root))
        self.skipped: Counter[str] = Counter()
        self._folder = root / "data"
        self._joint_set = joint_set
        self._mean_pose = mean_pose
        self._table = SampleTable(self._samples())

    @staticmethod
    def sources(*, root: Path) -> list[Source]:
        """What the training split is read from."""
        return [
            Source(root / "data" / "freihand_train_coco.json", "pictures and boxes", _AUTHORS),
            Source(root / "data" / "freihand_train_data.json", "MANO parameters and cameras", _AUTHORS),
            Source(root / "data" / "training" / "rgb", "pictures", _FREIHAND),
        ]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One hand."""
        return self._table[index]

    def _samples(self) -> Iterator[Sample]:
        fits = read_json(self._folder / "freihand_train_data.json")
        for image, annotation in annotated(read_json(self._folder / "freihand_train_coco.json")):
            box = clipped_box(annotation["bbox"], image["width"], image["height"])
            if box is None:
                self.skipped["empty box"] += 1
                continue
            known = fits[str(image["db_idx"])]  # four pictures with other backgrounds share it
            fit = read_fit(self._joint_set, known["mano_param"], known["cam_param"], self._mean_pose)
            yield replace(_unlabeled(self._folder, image, annotation, box, self._joint_set), fit=fit)


class FreiHandEvaluation:
    """3960 pictures with the boxes of a detector, measured against FreiHAND's own joints and vertices.

    They come in the order of FreiHAND's numbers, in which its server wants the answers, all 3960 of them: a hand that
    is skipped leaves a file that the server refuses.

    Args:
        root: of the data set.
        joint_set: the hand.

    Raises:
        MissingDataError: files are missing.
        AnnotationError: a file is damaged.
    """

    def __init__(self, *, root: Path, joint_set: JointSet) -> None:
        require(self.sources(root=root))
        self.skipped: Counter[str] = Counter()
        self._folder = root / "data"
        self._joint_set = joint_set
        self._rows: list[int] = []
        self._table = SampleTable(self._samples(_detected(root)))
        self._points = read_json(self._folder / "evaluation_xyz.json")
        self._vertices = read_json(self._folder / "evaluation_verts.json")

    @staticmethod
    def sources(*, root: Path) -> list[Source]:
        """What the evaluation split is read from."""
        data = root / "data"
        return [
            Source(data / "freihand_eval_coco.json", "pictures", _AUTHORS),
            Source(_detections(root), "boxes of the hands", _AUTHORS),
            Source(data / "evaluation_xyz.json", "joints", _FREIHAND),
            Source(data / "evaluation_verts.json", "vertices", _FREIHAND),
            Source(data / "evaluation" / "rgb", "pictures", _FREIHAND),
        ]

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> Sample:
        """One hand, without labels."""
        return self._table[index]

    def truth(self, index: int) -> Truth:
        """21 joints and 778 vertices in camera axes."""
        row = self._rows[index]
        return Truth(points=np.array(self._points[row]), vertices=np.array(self._vertices[row]))

    def _samples(self, boxes: dict[int, Array]) -> Iterator[Sample]:
        pictures = annotated(read_json(self._folder / "freihand_eval_coco.json"))
        for image, annotation in sorted(pictures, key=lambda pair: int(pair[0]["db_idx"])):
            if image["id"] not in boxes:
                self.skipped["no box of the detector"] += 1
                continue
            self._rows.append(int(image["db_idx"]))
            yield _unlabeled(self._folder, image, annotation, boxes[image["id"]], self._joint_set)


def _detections(root: Path) -> Path:
    return root / "rootnet_output" / "bbox_root_freihand_output.json"


def _detected(root: Path) -> dict[int, Array]:
    """Boxes by picture, shrunk by what the crop grows them: the file's are grown already."""
    boxes = {}
    for row in read_json(_detections(root)):
        x, y, width, height = row["bbox"]
        center = np.array([x + width / 2, y + height / 2]) + HALF_PIXEL
        half = np.array([width, height]) / (2 * MARGIN)
        boxes[int(row["image_id"])] = np.concatenate([center - half, center + half]).astype(np.float32)
    return boxes


def _unlabeled(folder: Path, image: Json, annotation: Json, box: Array, joint_set: JointSet) -> Sample:
    count = len(joint_set.points)
    return labeled_sample(
        name=f"FreiHAND {image['file_name']}, annotation {annotation['id']}",
        image=folder / image["file_name"],
        box=box,
        points=(np.zeros((count, 2), np.float32), np.zeros(count, bool)),
    )
