"""The one sample type: what is known about one picture of a person, before it is cropped and augmented.

Every loader of this package gives it, whatever the layout of its files. Letters: J points and R rotations, both in the
order of the loader's `JointSet` (`joint_sets.py`); V vertices. What a data set does not tell is zero and not valid.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Fit:
    """Parameters of the body model that were fitted to the person, in the axes of the picture's camera.

    Attributes:
        rotations: (R, 3) axis-angle, radians, local; the root's in camera axes. Complete: where a file leaves the mean
            hand of the body model off, the loader has added it.
        rotations_valid: (R,).
        betas: (10,).
        betas_valid: whether the shape is known.
        expression: (10,).
        expression_valid: whether the expression is known.
        trans: (3,) meters, the body model's `transl`.
        gender: neutral, male or female.
        points_valid: (J,) which of the posed model's points may be learnt from.
        focal: (2,) pixels of the picture.
        principal_point: (2,) pixels.
    """

    rotations: Array
    rotations_valid: Mask
    betas: Array
    betas_valid: bool
    expression: Array
    expression_valid: bool
    trans: Array
    gender: str
    points_valid: Mask
    focal: Array
    principal_point: Array


@dataclass(frozen=True)
class Sample:
    """One person, hand or face in one picture.

    Pixels are continuous: 0 is the picture's left or upper edge, its width the right one. Boxes are x, y, x, y.

    Attributes:
        name: data set, picture and annotation, as errors and reports name the sample.
        image: the picture's file.
        box: (4,) of the person (or hand, or face) as annotated, pixels.
        points: (J, 2) labels, pixels.
        points_valid: (J,).
        points_3d: (J, 3) labels from motion capture, meters, camera axes.
        points_3d_valid: (J,).
        fit: None where nothing was fitted.
        regions: (3, 4) boxes of left hand, right hand, face, pixels.
        regions_valid: (3,).
        mirrored: True for a left hand in a set of right hands: it is mirrored before anything else.
    """

    name: str
    image: Path
    box: Array
    points: Array
    points_valid: Mask
    points_3d: Array
    points_3d_valid: Mask
    fit: Fit | None
    regions: Array
    regions_valid: Mask
    mirrored: bool = False


@dataclass(frozen=True)
class Truth:
    """What a test set measures against; None where it does not have it.

    Attributes:
        vertices: (V, 3) of the ground-truth mesh, meters, camera axes.
        points: (P, 3) joints of the data set's own, meters, camera axes.
        scan: file of a 3D scan, in millimeters.
        landmarks: (7, 3) on the scan, millimeters.
    """

    vertices: NDArray[np.floating[Any]] | None = None
    points: NDArray[np.floating[Any]] | None = None
    scan: Path | None = None
    landmarks: NDArray[np.floating[Any]] | None = None


class Samples(Protocol):
    """What a loader is: a sequence that is cheap to index; pictures are opened later."""

    def __len__(self) -> int:
        """How many samples."""

    def __getitem__(self, index: int) -> Sample:
        """One of them."""
