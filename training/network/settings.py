"""What a network is made of, as a value; the defaults are the paper's (sections 3 and 4).

Configuration stops at `build.build_network`: none of these values enters a module.
"""

from dataclasses import dataclass, replace
from typing import Literal

from ...backend.model.camera import PAPER_FOCAL
from ...backend.model.position import CellGrid
from ...backend.model.presets import PAPER_BODY_GRID, PAPER_HAND_GRID

Size = tuple[int, int]

PARTS = ("whole", "body", "hand", "face")
POOLINGS = ("ppp", "gap", "gap+ppp", "none")
ROTATION_INPUTS = ("positions-3d", "positions-2d", "features")
FOCAL_HEIGHT = 256
"""Height of the picture on which the focal length is 1500 pixels: I_b, and the pictures of the part networks."""
UPSAMPLED_STRIDE = 4
"""Pixels per cell of the upsampled feature map."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Which modules make up the network; every ablation of the paper is one change of one value.

    Attributes:
        part: "whole", or one part alone with the global rotation, shape and translation of its own (section 9).
        pooling: "ppp" at the joints' places; "gap" over the whole map, without positional pose; "gap+ppp" both
            (Table 1); "none" the flattened map (Table 6).
        rotation_inputs: of every RotationNet (Table 3). With "positions-2d" the PositionNets predict 2D places.
        mcp: whether the body's RotationNet takes what the hand branch knows of the MCP joints (Table 4).
        initial: "none"; "upsampled": the body branch also predicts hands, jaw and expression, all from an upsampled
            map; "refined": hand and face branches start from these instead of from nothing (Table 2).
        crops: "high-resolution", or "body" to cut hands and face out of the downsampled picture (Table 10).
        body_resnet: 10, 18 or 50; 10 is for reduced runs.
        hand_resnet: the same.
        face_resnet: the same.
        input_size: height and width of the whole network's input; its body branch sees half of them.
        body_size: of the input of a body alone.
        hand_size: of the hand's picture.
        face_size: of the face's picture.
        body_stride: 32, 16 or 8 pixels of the body's picture per cell of F_b; less than 32 is for reduced runs, whose
            small pictures would have too few cells.
        hand_stride: the same of the hand's picture.
        width: share of the paper's channels that pooling (512) and box prediction have; for reduced runs.
        detach: "positions": no gradient from rotations and boxes to the positional pose, as in the authors' release.
            The paper trains end to end.
        trained: branches of the whole network that there are at all; ("body",) is Table 2's body-only Pose2Pose.
        body_start: file with the body ResNet's first weights (see `starts.py`); empty for random ones.
        hand_start: the same for the hand's, or a whole hand network trained alone.
        face_start: the same for the face's.
    """

    part: Literal["whole", "body", "hand", "face"] = "whole"
    pooling: Literal["ppp", "gap", "gap+ppp", "none"] = "ppp"
    rotation_inputs: tuple[str, ...] = ("positions-3d", "features")
    mcp: bool = True
    initial: Literal["none", "upsampled", "refined"] = "none"
    crops: Literal["high-resolution", "body"] = "high-resolution"
    body_resnet: int = 50
    hand_resnet: int = 50
    face_resnet: int = 18
    input_size: Size = (512, 384)
    body_size: Size = (256, 192)
    hand_size: Size = (256, 256)
    face_size: Size = (192, 128)
    body_stride: int = 32
    hand_stride: int = 32
    width: float = 1.0
    detach: tuple[str, ...] = ()
    trained: tuple[str, ...] = ("body", "hand", "face")
    body_start: str = ""
    hand_start: str = ""
    face_start: str = ""

    def __post_init__(self) -> None:
        _one_of("part", self.part, PARTS)
        _one_of("pooling", self.pooling, POOLINGS)
        _one_of("initial", self.initial, ("none", "upsampled", "refined"))
        _one_of("crops", self.crops, ("high-resolution", "body"))
        for name in ("body_resnet", "hand_resnet", "face_resnet"):
            _one_of(name, getattr(self, name), (10, 18, 50))
        for name in ("body_stride", "hand_stride"):
            _one_of(name, getattr(self, name), (8, 16, 32))
        _some_of("rotation_inputs", self.rotation_inputs, ROTATION_INPUTS)
        _some_of("detach", self.detach, ("positions",))
        _some_of("trained", self.trained, ("body", "hand", "face"))
        if not 0 < self.width <= 1:
            raise ValueError(f"width must be above 0 and at most 1. Got {self.width}")
        self._check_sizes()
        self._check_combination()

    def _check_sizes(self) -> None:
        # the body's picture is half of the input
        multiples = {"input_size": 2 * self.body_stride, "body_size": self.body_stride, "hand_size": self.hand_stride,
                     "face_size": 32}  # fmt: skip
        for name, multiple in multiples.items():
            size: Size = getattr(self, name)
            if any(side < multiple or side % multiple for side in size):
                raise ValueError(f"{name} must be multiples of {multiple}, height and width. Got {list(size)}")

    def _check_combination(self) -> None:
        inputs = self.rotation_inputs
        if not inputs or {"positions-2d", "positions-3d"} <= set(inputs):
            raise ValueError(f"rotation_inputs must be features, 2D or 3D positions, or both. Got {list(inputs)}")
        if self.pooling == "gap" and inputs != ("features",):
            raise ValueError(
                f'pooling "gap" predicts no positions: rotation_inputs must be ["features"]. Got {list(inputs)}'
            )
        if self.pooling == "gap" and self.detach:
            raise ValueError('pooling "gap" predicts no positions: detach must be empty')
        if "body" not in self.trained:
            raise ValueError(f"trained must have the body; a hand or a face alone is a part. Got {list(self.trained)}")
        if self.part != "whole" and (self.initial != "none" or len(self.trained) < 3):
            raise ValueError(f"initial and trained are for the whole network, not for part {self.part!r}")
        if self.initial != "none" and (self.pooling != "ppp" or len(self.trained) < 3 or "features" not in inputs):
            raise ValueError('initial needs pooling "ppp", features and all three branches')

    def without_starts(self) -> "NetworkConfig":
        """The same network with random weights, where others are loaded afterwards."""
        return replace(self, body_start="", hand_start="", face_start="")

    @property
    def picture_size(self) -> Size:
        """Height and width of what the network takes."""
        return {"whole": self.input_size, "body": self.body_size, "hand": self.hand_size, "face": self.face_size}[
            self.part
        ]

    @property
    def branch_size(self) -> Size:
        """Height and width of what the body branch sees."""
        height, width = self.input_size
        return (height // 2, width // 2) if self.part == "whole" else self.body_size

    @property
    def focal(self) -> float:
        """Focal length of the predicted translation: pixels of the body branch's picture, or of the part's.

        The paper's 1500 (section 3.4) are for pictures of its own height; reduced ones show the same at less pixels.
        """
        height = self.branch_size[0] if self.part == "whole" else self.picture_size[0]
        return PAPER_FOCAL * height / FOCAL_HEIGHT

    @property
    def body_grid(self) -> CellGrid:
        """What the cells of the body's heat maps mean."""
        stride = self.body_stride if self.initial == "none" else UPSAMPLED_STRIDE
        return self._grid(PAPER_BODY_GRID, stride)

    @property
    def hand_grid(self) -> CellGrid:
        """What the cells of the hand's heat maps mean."""
        return self._grid(PAPER_HAND_GRID, self.hand_stride)

    def _grid(self, paper: CellGrid, stride: int) -> CellGrid:
        return CellGrid(
            depth_bins=1 if "positions-2d" in self.rotation_inputs else paper.depth_bins,
            depth_range=paper.depth_range,
            stride=stride,
            first_pixel=stride / 2,
        )


def _one_of(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(str, known))}. Got {value!r}")


def _some_of(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    if len(set(values)) < len(values) or not set(values) <= set(known):
        raise ValueError(f"{name} must be some of {', '.join(known)}, each once. Got {list(values)}")
