"""The rows of the preset `open`: how far the network is off, on people whose truth is known.

Every function gives numbers by name. Distances are millimeters, angles degrees. A number that no sample supports is
NaN.
"""

import torch
from torch import Tensor

from ...backend.body.joints import LIMBS12
from ...backend.body.layer import BodyLayer
from ...backend.motion.skeleton import BODY_JOINTS, JAW, JOINT_INDEX
from ..metrics import mpjpe, pa_mpjpe, procrustes_align
from .evaluation_people import HANDS, People, Scores, Shown
from .face_head import FaceModel, jaw_degrees

Rows = dict[str, float]

VISIBLE, HIDDEN = 0.5, 0.1
"""Share of its points from which a hand or a face counts as visible, and up to which as hidden."""
CLEAR = 0.8
"""Share of a hand's points from which its shape can be told."""
FACING = 0.6
"""The same of a face: less is seen of a profile."""
SMALLEST_HAND, SMALLEST_FACE = 40.0, 40.0
"""Pixels of the 512x384 picture."""
PRESENT = 0.5
"""Score from which the network says that a hand or a face is there."""
ASTRAY = 0.5
"""2D error over hand size from which it is another hand, or none, that was found."""
STRONG = 0.3
"""Expression coefficient from which its sign matters."""
ANSWERED = 0.05
"""Coefficient up to which the network says nothing."""
LIMB_SHARES = {"most limbs seen": (0.75, 1.01), "half of them": (0.4, 0.75), "few of them": (0.0, 0.4)}
"""Bins of the share of limb joints that the picture shows; the own body hides some of nearly everybody."""
WRISTS = (JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"])


def body_rows(said: People, truth: People, shown: Shown) -> Rows:
    """PA-MPJPE and MPJPE (pelvis aligned) of the limb joints, also by how many of them are seen, and of all joints."""
    limbs = list(LIMBS12)
    aligned = pa_mpjpe(said.points[:, limbs], truth.points[:, limbs])
    rooted = mpjpe(said.points[:, limbs], truth.points[:, limbs])
    rows = {"limbs PA-MPJPE": _mean(aligned), "limbs MPJPE": _mean(rooted)}
    share = shown.limbs.float().mean(1)
    for name, (low, high) in LIMB_SHARES.items():
        chosen = (share >= low) & (share < high)
        rows |= {
            f"limbs PA-MPJPE, {name}": _mean(aligned[chosen]),
            f"limbs MPJPE, {name}": _mean(rooted[chosen]),
            f"people, {name}": float(chosen.sum()),
        }
    everything = said.points[:, BODY_JOINTS], truth.points[:, BODY_JOINTS]
    facing = turn_degrees(said.rotations[:, 0], truth.rotations[:, 0])
    return rows | {
        "22 joints PA-MPJPE": _mean(pa_mpjpe(*everything)),
        "22 joints MPJPE": _mean(mpjpe(*everything)),
        "root rotation": _mean(facing),
        "root off by over 90 degrees, %": 100 * _mean((facing > 90).float()),
    }


def shape_rows(said: People, truth: People, layer: BodyLayer) -> Rows:
    """Distance of the skin at rest that betas are off by, and what the mean shape would be off by."""
    directions = layer.directions[..., :10] - layer.directions[..., :10].mean(0)

    def distance(betas: Tensor) -> float:
        return _mean(1000 * torch.einsum("vck,bk->bvc", directions, betas).norm(dim=2).mean(1))

    return {"skin at rest": distance(said.betas - truth.betas), "of the mean shape": distance(truth.betas)}


def hand_rows(said: People, truth: People, shown: Shown, scores: Scores) -> Rows:
    """PA error of a hand's 21 points, and their 2D error over the hand's size, of hands that are clearly seen."""
    clear = (shown.hands >= CLEAR) & (shown.hand_sizes >= SMALLEST_HAND)
    found = clear & (scores.hands >= PRESENT)
    errors = torch.stack([pa_mpjpe(said.points[:, hand], truth.points[:, hand]) for hand in map(list, HANDS)], dim=1)
    flat = (said.hands - truth.hands).norm(dim=-1).mean(-1) / shown.hand_sizes.clamp_min(1)
    rooted = torch.stack([_palm_error(said, truth, side) for side in (0, 1)], dim=1)
    astray = (flat[found] > ASTRAY).float()
    return {
        "clear hands": float(clear.sum()),
        "clear hands found, %": 100 * _share(found, clear),
        "clear hands PA": _mean(errors[clear]),
        "found hands PA": _mean(errors[found]),
        "found hands, wrist turned onto the truth": _mean(rooted[found]),
        "clear hands 2D over hand size": _mean(flat[clear]),
        "found hands 2D over hand size": _mean(flat[found]),
        "found hands 2D over hand size, median": _median(flat[found]),
        "found hands that are another hand, %": 100 * _mean(astray),
    }


def wrist_rows(said: People, truth: People, shown: Shown, scores: Scores) -> Rows:
    """Mean error of the wrists' rotation, relative to the forearm and in camera axes."""
    wrists = list(WRISTS)
    errors = {
        "local": turn_degrees(said.rotations[:, wrists], truth.rotations[:, wrists]),
        "global": turn_degrees(said.turns[:, wrists], truth.turns[:, wrists]),
    }
    visible, hidden = shown.hands >= VISIBLE, shown.hands <= HIDDEN
    chosen = {"visible": visible, "visible and found": visible & (scores.hands >= PRESENT), "hidden": hidden}
    rows = {f"{kind}, {name}": _mean(values[mask]) for kind, values in errors.items() for name, mask in chosen.items()}
    return rows | {"visible hands": float(visible.sum()), "hidden hands": float(hidden.sum())}


def face_rows(said: People, truth: People, shown: Shown, scores: Scores, layer: BodyLayer) -> Rows:
    """Jaw and expression of faces that are clearly seen and found, and the skin's distance they are off by."""
    clear = (shown.faces >= FACING) & (shown.face_sizes >= SMALLEST_FACE)
    found = clear & (scores.faces >= PRESENT)
    opening, true_opening = (jaw_degrees(people.rotations[found, JAW]) for people in (said, truth))
    expression, true_expression = said.expression[found], truth.expression[found]
    strong = true_expression.abs() > STRONG
    answered = strong & (expression.abs() > ANSWERED)
    signs = (expression.sign() == true_expression.sign())[answered].float()
    units = [_correlation(expression[:, unit], true_expression[:, unit]) for unit in range(expression.shape[1])]
    distance = face_distances(said, truth, FaceModel(layer))
    return {
        "clear faces": float(clear.sum()),
        "clear faces found, %": 100 * _share(found, clear),
        "jaw": _mean((opening - true_opening).abs()),
        "jaw correlation": _correlation(opening, true_opening),
        "expression correlation, mean of 10": _mean(torch.tensor(units)),
        "strong expressions answered, %": 100 * _share(answered, strong),
        "answers with the right sign, %": 100 * _mean(signs),
        "skin": _mean(distance[found]),
        "skin of a resting face": _mean(face_distances(at_rest(truth), truth, FaceModel(layer))[found]),
    }


def presence_rows(shown: Shown, scores: Scores) -> Rows:
    """Of visible and hidden hands and faces: how many of those said to be there are, and how many are missed."""
    rows: Rows = {}
    for name, share, score in (("hands", shown.hands, scores.hands), ("faces", shown.faces, scores.faces)):
        visible, hidden = share >= VISIBLE, share <= HIDDEN
        told = score >= PRESENT
        right = float((visible & told).sum())
        rows |= {
            f"{name} precision, %": 100 * right / max(right + float((hidden & told).sum()), 1.0),
            f"{name} recall, %": 100 * _share(visible & told, visible),
            f"hidden {name} recognized, %": 100 * _share(hidden & ~told, hidden),
        }
    return rows


def turn_degrees(first: Tensor, second: Tensor) -> Tensor:
    """(..., 3, 3) rotations -> (...) the angle between them, exact for small ones too (Hartley et al. 2013, sec. 3)."""
    chord = (first - second).flatten(-2).norm(dim=-1)
    angles: Tensor = torch.rad2deg(2 * (chord / 8**0.5).clamp(max=1).asin())
    return angles


def hand_shape_errors(said: People, truth: People) -> Tensor:
    """(N, 2) mean distance of the 21 points over the hand's length, after the best turn and shift.

    The length is from the wrist to the middle finger's tip along the bones. The scale stays: it is the body's.
    """
    sides = []
    for hand in map(list, HANDS):
        found, wanted = said.points[:, hand], truth.points[:, hand]
        bones = wanted[:, [0, 9, 10, 11, 12]]
        length = (bones[:, 1:] - bones[:, :-1]).norm(dim=-1).sum(1)
        sides.append((_turned_onto(found, wanted) - wanted).norm(dim=-1).mean(1) / length)
    return torch.stack(sides, dim=1)


def face_distances(said: People, truth: People, model: FaceModel) -> Tensor:
    """(N,) millimeters by which jaw and expression move the face's skin away from the truth."""
    pairs = [model.vertices(people.rotations[:, JAW], people.expression) for people in (said, truth)]
    distances: Tensor = 1000 * (pairs[0] - pairs[1]).norm(dim=2).mean(1)
    return distances


def at_rest(people: People) -> People:
    """The same people with resting faces."""
    still = torch.eye(3).expand_as(people.rotations[:, JAW])
    rotations = people.rotations.clone()
    rotations[:, JAW] = still
    return People(
        rotations, people.betas, torch.zeros_like(people.expression), people.points, people.turns, people.limbs,
        people.hands,
    )  # fmt: skip


def _palm_error(said: People, truth: People, side: int) -> Tensor:
    """(N,) mean distance of the 21 points once the wrist's place and rotation are the true ones."""
    hand, wrist = list(HANDS[side]), WRISTS[side]
    local = [(people.points[:, hand] - people.points[:, hand[:1]]) @ people.turns[:, wrist] for people in (said, truth)]
    return mpjpe(*local)


def _turned_onto(source: Tensor, target: Tensor) -> Tensor:
    """Source points (B, P, 3) after the rotation and shift that bring them nearest to the target; not scaled."""
    moved = procrustes_align(source, target)
    center = target.mean(1, keepdim=True)
    spread = (source - source.mean(1, keepdim=True)).square().sum((1, 2)).sqrt()
    scaled = (moved - center).square().sum((1, 2)).sqrt().clamp_min(1e-9)
    return center + (moved - center) * (spread / scaled)[:, None, None]


def _share(part: Tensor, whole: Tensor) -> float:
    return float(part.sum()) / max(float(whole.sum()), 1.0)


def _mean(values: Tensor) -> float:
    return float(values.double().mean()) if values.numel() else float("nan")


def _median(values: Tensor) -> float:
    return float(values.double().median()) if values.numel() else float("nan")


def _correlation(first: Tensor, second: Tensor) -> float:
    """Pearson's; NaN where either does not vary."""
    return float(torch.corrcoef(torch.stack([first, second]))[0, 1]) if len(first) > 1 else float("nan")
