"""The paper's tables 1 to 11 as they are printed: what was compared, and the numbers of every method.

The order of the columns of table 7 follows the running text: MPJPE and PA MPJPE on Human3.6M, then on 3DPW.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of numbers.

    Attributes:
        title: as printed.
        dataset: test set that it is measured on, `resources` for memory and time.
        metric: as the protocol names it.
        digits: after the point.
    """

    title: str
    dataset: str
    metric: str
    digits: int = 1


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        label: as printed.
        values: one for each column, None for a dash.
        config: name of the configuration that is this method; None for other people's.
    """

    label: str
    values: tuple[float | None, ...]
    config: str | None = None


@dataclass(frozen=True)
class Table:
    """One table of the paper."""

    number: int
    caption: str
    head: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def configs(self) -> tuple[str, ...]:
        """The configurations of its rows, in their order."""
        return tuple(row.config for row in self.rows if row.config is not None)


ALL = Column("All", "ehf", "pa_mpvpe_all")
BODY = Column("Body", "ehf", "pa_mpjpe_body")
HANDS = Column("Hands", "ehf", "pa_mpjpe_hands")
FACE = Column("Face", "ehf", "pa_mpvpe_face")
COST = (Column("Mem. (GB)", "resources", "memory_gb"), Column("Time (s)", "resources", "forward_seconds", 2))
"""Of the ablations All and Face are PA MPVPE, Body and Hands PA MPJPE (section 5.2)."""

OURS = (50.7, 60.9, 11.4, 5.8)
_PAIRED = ("LQ", "HQ")


def _stirling(metric: str, title: str) -> tuple[Column, ...]:
    return tuple(Column(f"{title} {kind}", f"stirling-{kind.lower()}", metric, 2) for kind in _PAIRED)


TABLES: dict[int, Table] = {
    table.number: table
    for table in (
        Table(
            1,
            "3D error, GPU memory usage, and forward time of each iteration comparison between models that use GAP and "
            "PPP on EHF.",
            "Settings",
            (ALL, BODY, HANDS, FACE, *COST),
            (
                Row("GAP", (54.8, 66.4, 12.7, 5.8, 10.2, 0.22), "table1_gap"),
                Row("GAP+PPP", (52.2, 62.3, 12.8, 5.8, 10.4, 0.24), "table1_gap_ppp"),
                Row("PPP (Ours)", (*OURS, 10.3, 0.23), "paper"),
            ),
        ),
        Table(
            2,
            "3D error comparison between models with various expressive 3D human pose and mesh estimation pipeline on "
            "EHF.",
            "Settings",
            (ALL, BODY, HANDS, FACE),
            (
                Row("Body-only Pose2Pose", (None, 60.6, None, None), "table2_body_only"),
                Row("With initial prediction", (59.8, 70.5, 12.7, 6.1), "table2_initial"),
                Row("With initial prediction + refine", (58.5, 68.9, 12.6, 6.0), "table2_initial_refine"),
                Row("Without initial prediction (Ours)", OURS, "paper"),
            ),
        ),
        Table(
            3,
            "3D error comparison between models with various input combinations of the RotationNet on EHF.",
            "Inputs of the RotationNet",
            (ALL, BODY, HANDS),
            (
                Row("2D pose", (55.8, 67.0, 12.6), "table3_pose2d"),
                Row("3D pose", (54.3, 64.3, 12.4), "table3_pose3d"),
                Row("Joint-level feat.", (52.2, 62.7, 11.6), "table3_features"),
                Row("2D pose + Joint-level feat.", (52.3, 62.4, 11.6), "table3_pose2d_features"),
                Row("3D pose + joint-level feat. (Ours)", OURS[:3], "paper"),
            ),
        ),
        Table(
            4,
            "3D error comparison between models without and with MCP features in their body branch on EHF.",
            "Settings",
            (ALL, BODY, HANDS),
            (
                Row("Without MCP features", (52.7, 60.9, 12.3), "table4_without_mcp"),
                Row("With MCP features (Ours)", OURS[:3], "paper"),
            ),
        ),
        Table(
            5,
            "3D errors comparison on EHF. The numbers in hands are averaged values of left and right hands.",
            "Methods",
            (
                Column("PA MPVPE All", "ehf", "pa_mpvpe_all"),
                Column("PA MPVPE Hands", "ehf", "pa_mpvpe_hands"),
                Column("PA MPVPE Face", "ehf", "pa_mpvpe_face"),
                Column("PA MPJPE Body", "ehf", "pa_mpjpe_body"),
                Column("PA MPJPE Hands", "ehf", "pa_mpjpe_hands"),
            ),
            (
                Row("SMPLify-X", (65.3, 12.3, 6.3, 87.6, 12.9)),
                Row("MTC", (67.2, None, None, 107.8, 16.7)),
                Row("ExPose", (54.5, 12.8, 5.8, 62.8, 13.1)),
                Row("Pose2Pose (Ours)", (50.3, 10.8, 5.8, 60.4, 10.8), "paper"),
            ),
        ),
        Table(
            6,
            "3D error, GPU memory usage, and forward time of each iteration comparison between models without pooling "
            "and with PPP on EHF.",
            "Settings",
            (ALL, BODY, HANDS, FACE, *COST),
            (
                Row("Wo. pooling", (55.9, 63.8, 13.0, 5.8, 10.3, 0.23), "table6_without_pooling"),
                Row("PPP (Ours)", (*OURS, 10.3, 0.23), "paper"),
            ),
        ),
        Table(
            7,
            "3D body error comparison on Human3.6M and 3DPW.",
            "Methods",
            (
                Column("Human3.6M MPJPE", "human36m", "mpjpe"),
                Column("Human3.6M PA MPJPE", "human36m", "pa_mpjpe"),
                Column("3DPW MPJPE", "pw3d", "mpjpe"),
                Column("3DPW PA MPJPE", "pw3d", "pa_mpjpe"),
            ),
            (
                Row("HMR", (88.8, 56.8, 130.0, 81.3)),
                Row("GraphCMR", (None, 50.1, None, 70.2)),
                Row("SPIN", (None, 41.1, 96.9, 59.2)),
                Row("Pose2Mesh", (64.9, 47.0, 88.9, 58.3)),
                Row("I2L-MeshNet", (55.7, 41.1, 93.2, 57.7)),
                Row("Song et al.", (None, 56.4, None, 55.9)),
                Row("ExPose", (None, None, 93.4, 60.7)),
                Row("Pose2Pose (Ours)", (71.0, 47.4, 87.6, 55.3), "table7_body_smpl"),
            ),
        ),
        Table(
            8,
            "3D hand errors (PA MPVPE/PA MPJPE and F-score@5mm/15mm) comparison on FreiHAND.",
            "Methods",
            (
                Column("PA MPVPE", "freihand", "pa_mpvpe"),
                Column("PA MPJPE", "freihand", "pa_mpjpe"),
                Column("F@5 mm", "freihand", "f_5", 3),
                Column("F@15 mm", "freihand", "f_15", 3),
            ),
            (
                Row("Hasson et al.", (13.2, None, 0.436, 0.908)),
                Row("Boukhayma et al.", (13.0, None, 0.435, 0.898)),
                Row("FreiHAND", (10.7, None, 0.529, 0.935)),
                Row("Kulon et al.", (8.6, 8.4, 0.614, 0.966)),
                Row("Pose2Mesh", (7.8, 7.7, 0.674, 0.969)),
                Row("I2L-MeshNet", (7.6, 7.4, 0.681, 0.973)),
                Row("ExPose", (11.8, 12.2, 0.484, 0.918)),
                Row("Pose2Pose (ResNet-18)", (8.6, 8.6, 0.621, 0.962), "table8_hand_mano_resnet18"),
                Row("Pose2Pose (Ours)", (7.8, 7.8, 0.661, 0.970), "table8_hand_mano"),
            ),
        ),
        Table(
            9,
            "3D face errors comparison on low-quality/high-quality images of Stirling.",
            "Methods",
            (*_stirling("mean", "Mean"), *_stirling("median", "Median"), *_stirling("std", "Std.")),
            (
                Row("RingNet", (2.08, 2.02, 1.63, 1.58, 1.79, 1.68)),
                Row("ExPose", (2.27, 2.42, 1.76, 1.91, 1.97, 2.03)),
                Row("Pose2Pose (Ours)", (2.04, 1.98, 1.57, 1.52, 1.79, 1.76), "table9_face_flame"),
            ),
        ),
        Table(
            10,
            "PA MPVPE of hands and face comparison between models that crop hands and face from various sources.",
            "Where hands/face are cropped from",
            (Column("Hand", "ehf", "pa_mpvpe_hands"), FACE),
            (
                Row("Downsampled body image", (11.4, 6.0), "table10_body_crops"),
                Row("High-resolution body image (Ours)", (10.8, 5.8), "paper"),
            ),
        ),
        Table(
            11,
            "IoU of the hand and face box on MSCOCO validation set. The number of the hand is an averaged number of "
            "the right and left hands.",
            "Metric",
            (
                Column("Hand", "mscoco", "iou_hands", 2),
                Column("Face", "mscoco", "iou_face", 2),
            ),
            (Row("IoU", (0.54, 0.77), "paper"),),
        ),
    )
}
