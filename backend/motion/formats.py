"""What other programs write, understood: one adapter for each, chosen by the keys that are there.

| program | file | keys | axes |
|---|---|---|---|
| GVHMR | `hmr4d_results.pt` | `smpl_params_global`, else `smpl_params_incam` and `K_fullimg`; SMPL-X | y up, camera |
| WHAM | `wham_output.pkl` | for each person `pose_world`, `trans_world`, `frame_ids`; SMPL | y up |
| 4D-Humans (PHALP) | `results/demo_*.pkl` | for each picture `tid`, `smpl`, `camera`, `size`; SMPL | camera |
| SMPLer-X, SMPLest-X, OSX | folder of `FRAME_PERSON.npz`, or one | names of the `smplx` package | camera |
| ROMP, BEV | `video_results.npz` | for each picture `smpl_thetas`, `cam_trans`, `track_ids`; SMPL | camera |

Sources: what the demos of these projects write. None of them says its frames a second. Shapes of SMPL mean nothing in
SMPL-X and are left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .elsewhere import ten
from .placement import WORLD_FROM_BODY, WORLD_FROM_CAMERA
from .rotations import axis_angle_from_matrix
from .skeleton import JAW, JOINT_COUNT, LEFT_HAND, RIGHT_HAND

Array = NDArray[np.float64]

PHALP_FOCAL = 5000 / 256
"""Focal length of 4D-Humans in lengths of the picture's longer side."""
PELVIS_OF_PHALP = 8
"""Place of the pelvis among its 45 joints."""


@dataclass(frozen=True, eq=False)
class Motion:
    """One person, as a program says it."""

    program: str
    frames: NDArray[np.int64]
    """(T,) numbers of the pictures."""
    poses: Array
    """(T, 55, 3) axis-angle; zero where the program says nothing."""
    pelvis: Array
    """(T, 3) meters in the program's axes."""
    axes: Array
    """(3, 3) rotation from the program's axes to a z-up world."""
    shifted: bool = False
    """Whether `pelvis` is counted from the rest pelvis, as smplx's `transl` is."""
    hands: bool = False
    face: bool = False
    known: Mapping[str, Any] | None = None
    """Further fields of the take."""


def understood(data: Mapping[Any, Any]) -> list[Motion] | None:
    """The people in a file, by its contents; None if no program writes such keys."""
    item = next(iter(data.values()), None)
    inner = item if isinstance(item, Mapping) else {}
    for outside, inside, read in _ADAPTERS:
        if all(key in data for key in outside) and all(key in inner for key in inside):
            return read(data)
    return None


def _gvhmr(data: Mapping[str, Any]) -> list[Motion]:
    world = "smpl_params_global" in data
    said = data["smpl_params_global" if world else "smpl_params_incam"]
    known: dict[str, Any] = {"betas": ten(np.median(said["betas"], axis=0))}
    if not world:
        known |= _camera(np.asarray(data["K_fullimg"])[0])
    poses = _assembled(said["global_orient"], said["body_pose"])
    axes = WORLD_FROM_BODY if world else WORLD_FROM_CAMERA
    return [Motion("GVHMR", np.arange(len(poses)), poses, _points(said["transl"]), axes, shifted=True, known=known)]


def _wham(data: Mapping[Any, Any]) -> list[Motion]:
    people = []
    for said in data.values():
        pose = np.asarray(said["pose_world"])
        poses = _assembled(pose[:, :3], pose[:, 3:66])
        frames = np.asarray(said["frame_ids"], np.int64).ravel()
        people.append(Motion("WHAM", frames, poses, _points(said["trans_world"]), WORLD_FROM_BODY, shifted=True))
    return people


def _humans4d(data: Mapping[str, Any]) -> list[Motion]:
    rows: dict[int, list[Any]] = {}
    for picture in sorted(data.values(), key=lambda said: said["time"]):
        for place, person in enumerate(picture["tid"]):
            if picture["tracked_time"][place] == 0:  # otherwise it repeats what was seen before
                rows.setdefault(int(person), []).append((picture, place))
    return [_track_of_humans4d(seen) for seen in rows.values()]


def _track_of_humans4d(seen: list[Any]) -> Motion:
    smpl = [picture["smpl"][place] for picture, place in seen]
    height, width = (float(n) for n in seen[0][0]["size"][seen[0][1]])
    focal = PHALP_FOCAL * max(height, width)
    corner = np.array([picture["bbox"][place] for picture, place in seen], np.float32)
    pelvis = [picture["camera"][place] + picture["3d_joints"][place][PELVIS_OF_PHALP] for picture, place in seen]
    known = _camera(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]))
    known["boxes"] = np.concatenate([corner[:, :2], corner[:, :2] + corner[:, 2:]], axis=1)
    return Motion(
        "4D-Humans",
        np.array([picture["time"] for picture, _ in seen], np.int64),
        _assembled([s["global_orient"] for s in smpl], [s["body_pose"][:21] for s in smpl]),
        _points(pelvis),
        WORLD_FROM_CAMERA,
        known=known,
    )


def _smplx(data: Mapping[str, Any]) -> list[Motion]:
    """One file in the names of smplx: a person over time, or one picture."""
    return [_person_of_smplx([data], np.arange(len(_points(data["transl"]))))]


def _smplerx(data: Mapping[str, Any]) -> list[Motion]:
    """A folder with a file for each picture and person; persons are numbered by their place in the picture."""
    rows: dict[str, list[tuple[int, Any]]] = {}
    for name, said in data.items():
        frame, _, person = name.partition("_")
        rows.setdefault(person, []).append((int(frame), said))
    first = min(frame for seen in rows.values() for frame, _ in seen)
    people = [sorted(seen, key=lambda row: row[0]) for seen in rows.values()]
    return [_person_of_smplx([said for _, said in seen], np.array([f - first for f, _ in seen])) for seen in people]


def _person_of_smplx(said: list[Any], frames: NDArray[np.int64]) -> Motion:
    def all_of(key: str) -> Array | None:
        """(T, ...) what every file says under this name; None where one says nothing."""
        if not all(key in s for s in said):
            return None
        rows: Array = np.concatenate([np.asarray(s[key], np.float64).reshape(-1) for s in said])
        return rows.reshape(len(frames), -1)

    names = ("global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "leye_pose", "reye_pose")
    parts = {name: all_of(name) for name in names}
    places, focal, center, face = _points(all_of("transl")), all_of("focal"), all_of("princpt"), all_of("expression")
    known: dict[str, Any] = {"betas": ten(np.median([np.atleast_2d(s["betas"])[0] for s in said], axis=0))}
    if face is not None:
        known["expression"] = ten(face)
    hands = parts["left_hand_pose"] is not None
    if hands:
        known["flat_hand_mean"] = False  # their layers are built with smplx's default, which adds the mean hand
    return Motion(
        "SMPLer-X",
        frames,
        _assembled(*parts.values()),
        places if focal is None or center is None else _through_one_lens(places, focal, center),
        WORLD_FROM_CAMERA,
        shifted=True,
        hands=hands,
        face=parts["jaw_pose"] is not None,
        known=known,
    )


def _through_one_lens(points: Array, focal: Array, center: Array) -> Array:
    """Points that were each seen through the lens of its own crop, at the same pixels through the middle lens.

    Args:
        points: (T, 3) meters, camera axes.
        focal: (T, 2) pixels.
        center: (T, 2) principal points, pixels.

    Returns:
        (T, 3): as large in the picture, so farther away through a longer lens.
    """
    across = points[:, :2] + (center - np.median(center, axis=0)) * points[:, 2:] / focal
    return np.concatenate([across, points[:, 2:] * np.median(focal[:, 0]) / focal[:, :1]], axis=1)


def _romp(data: Mapping[str, Any]) -> list[Motion]:
    results = data["results"]
    pictures = [results] if "smpl_thetas" in results else [results[name] for name in sorted(results)]
    rows: dict[int, list[Any]] = {}
    for frame, said in enumerate(pictures):
        for place, person in enumerate(said.get("track_ids", range(len(said["smpl_thetas"])))):
            rows.setdefault(int(person), []).append((frame, said, place))
    people = []
    for seen in rows.values():
        thetas = np.array([said["smpl_thetas"][place] for _, said, place in seen])
        moved = [said["cam_trans"][place] + _pelvis_of_romp(said, place) for _, said, place in seen]
        frames = np.array([frame for frame, _, _ in seen], np.int64)
        poses = _assembled(thetas[:, :3], thetas[:, 3:66])
        people.append(Motion("ROMP", frames, poses, _points(moved), WORLD_FROM_CAMERA))
    return people


def _pelvis_of_romp(said: Mapping[str, Any], place: int) -> Any:
    return said["joints"][place][0] if "joints" in said else np.zeros(3)


_ADAPTERS: tuple[tuple[tuple[str, ...], tuple[str, ...], Callable[[Mapping[Any, Any]], list[Motion]]], ...] = (
    (("smpl_params_global",), (), _gvhmr),
    (("smpl_params_incam", "K_fullimg"), (), _gvhmr),
    ((), ("pose_world", "trans_world", "frame_ids"), _wham),
    ((), ("tid", "smpl", "camera", "3d_joints", "size"), _humans4d),
    (("global_orient", "body_pose", "transl", "betas"), (), _smplx),
    ((), ("global_orient", "body_pose", "transl", "betas"), _smplerx),
    (("results",), (), _romp),
)
"""Keys of the file, keys of its first entry, and who reads it."""


def _assembled(
    root: Any, body: Any, left: Any = None, right: Any = None, jaw: Any = None, leye: Any = None, reye: Any = None
) -> Array:
    """Parts as (T, ...) axis-angle or matrices -> (T, 55, 3) axis-angle."""
    places = (slice(0, 1), slice(1, 22), LEFT_HAND, RIGHT_HAND, slice(JAW, JAW + 1), slice(23, 24), slice(24, 25))
    poses = np.zeros((len(np.asarray(root)), JOINT_COUNT, 3))
    for place, part in zip(places, (root, body, left, right, jaw, leye, reye), strict=True):
        if part is not None:
            values = np.asarray(part, dtype=np.float64)
            if values.ndim > 2 and values.shape[-2:] == (3, 3):
                values = axis_angle_from_matrix(values)
            poses[:, place] = values.reshape(len(poses), -1, 3)
    return poses


def _points(values: Any) -> Array:
    return np.asarray(values, dtype=np.float64).reshape(-1, 3)


def _camera(lens: NDArray[Any]) -> dict[str, Any]:
    """(3, 3) intrinsics with their principal point in the middle of the picture -> fields of a take."""
    center = np.asarray(lens[:2, 2], np.float32)
    focal = np.array([lens[0, 0], lens[1, 1]], np.float32)
    return {"focal": focal, "principal_point": center, "image_size": np.round(2 * center).astype(np.int64)}
