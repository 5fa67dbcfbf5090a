r"""Train the body branch of the preset `open`: keypoints from motion capture first, pictures of rendered people second.

    python -m pose2pose.training.open_preset.body \
        --poses pose_library_10k.npz motion_30fps.npz --seconds 1000 -o body_run

The first stage needs no pictures. Random poses are projected, the keypoints get a detector's errors, and the depth
head, the RotationNet and the shape head learn to undo the projection (paper sections 3.1 and 4). With `--renders`, the
second stage takes the keypoints that the pretrained network finds on rendered people (`body_detections.py`), and the
third what else it sees there (`body_features.py`). A stage ends by the clock: the same seed gives the same samples, but
a faster machine takes more steps.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from ...backend.body.layer import BodyLayer
from ...backend.model.body import BodyBranch
from ...backend.model.presets import build_open_body
from ...backend.motion.body_file import BodyFile, load_body
from ...backend.weights import TRUNK, load_part, part_path, read_part, save_tensors
from ..synthetic.people import PeopleSampler
from ..synthetic.pose_split import split_poses
from ..synthetic.scenery import Scenery
from .body_detections import SeenPeople, look_at_people, train_on_detections
from .body_features import train_on_features, validate_on_renders
from .body_heads import keypoint_position, train_on_keypoints, validate
from .clock import progress

TRUNK_NAMES = "position.backbone."
"""Names of the pretrained network's weights inside the branch."""
TRUNK_FILE = "keypoint_detector.safetensors"
TRUNK_LICENSE = "Apache-2.0 (MoveNet Thunder, Google)"


def load_trunk(branch: BodyBranch, path: Path | None) -> None:
    """Fill the pretrained MoveNet: from a file that `pretrained.convert` wrote, or None for the package's."""
    if path is None:
        packaged, _ = read_part(part_path("open", "body"))
        tensors = {
            name.removeprefix(TRUNK_NAMES): tensor for name, tensor in packaged.items() if name.startswith(TRUNK_NAMES)
        }
    else:
        tensors = load_file(path)
    backbone = keypoint_position(branch).backbone
    backbone.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    backbone.requires_grad_(False)


def render_people(branch: BodyBranch, poses: Tensor, path: Path, options: argparse.Namespace, count: int) -> SeenPeople:
    """What the branch's pretrained network sees of rendered people in these poses; kept in a file for the next run."""
    if not path.exists():
        scenery = Scenery.load(options.panoramas, options.device)
        sampler = PeopleSampler(body=load_body(), poses=poses.cpu(), scenery=scenery, device=options.device)
        with tqdm(desc=path.stem, unit="person", total=count) as bar:
            seen = look_at_people(branch, sampler, count, options.seed + count, bar.update)
        path.parent.mkdir(parents=True, exist_ok=True)
        seen.save(path)
    return SeenPeople.load(path, options.device)


def save_body(branch: BodyBranch, folder: Path, header: dict[str, str]) -> None:
    """Write what was trained here, and beside it the pretrained network, which has another license."""
    tensors = branch.state_dict()
    trunk = {name: tensor for name, tensor in tensors.items() if name.startswith(TRUNK_NAMES)}
    heads = {name: tensor for name, tensor in tensors.items() if name not in trunk}
    save_tensors(trunk, folder / TRUNK_FILE, {"license": TRUNK_LICENSE}, torch.float16)
    save_tensors(heads, part_path("open", "body", folder), {**header, TRUNK: TRUNK_FILE}, torch.float16)


def metadata(body: BodyFile, metrics: dict[str, float]) -> dict[str, str]:
    """The header of the branch's file."""
    data = "CMU motion capture (mocap.cs.cmu.edu, NSF EIA-0196217) on the open body, projected"
    return {
        "preset": "open",
        "body": body.name,
        "license": "CC0-1.0",
        "training_data": f"{data} and rendered" if "renders_mpjpe_mm" in metrics else data,
        "metrics": json.dumps({name: round(value, 2) for name, value in metrics.items()}),
    }


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pose2pose.training.open_preset.body", description=(__doc__ or "").split(":")[0]
    )
    parser.add_argument("--poses", type=Path, nargs="+", required=True, help="pose libraries, .npz with rotvec_i16")
    parser.add_argument("--start", type=Path, help="weights of a body branch to go on from (default: a fresh start)")
    parser.add_argument("--trunk", type=Path, help="MoveNet Thunder's weights (default: those in the package)")
    parser.add_argument("--seconds", type=float, default=1000, help="length of the keypoint stage (%(default)s)")
    parser.add_argument(
        "--renders", type=int, default=0, help="rendered people of the two later stages (%(default)s: none)"
    )
    parser.add_argument(
        "--detection-seconds", type=float, default=300, help="length of the detection stage (%(default)s)"
    )
    parser.add_argument("--feature-seconds", type=float, default=300, help="length of the feature stage (%(default)s)")
    parser.add_argument("--panoramas", type=Path, help=".npz of backgrounds (default: procedural ones)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="cpu or cuda (%(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the two weights files")
    return parser.parse_args(arguments)


def run_stages(branch: BodyBranch, file: BodyFile, options: argparse.Namespace) -> dict[str, float]:
    """Train the branch as the options say and measure it."""
    body = BodyLayer(file).to(options.device)
    library, held_out = (poses.to(options.device) for poses in split_poses(options.poses, file))
    metrics: dict[str, float] = {}
    if options.seconds > 0:
        with progress("keypoint stage") as report:
            metrics["keypoint_steps"] = train_on_keypoints(
                branch, library, body, seconds=options.seconds, seed=options.seed, report=report
            )
    if options.renders > 0:
        seen = render_people(branch, library, options.output / "seen.safetensors", options, options.renders)
        unseen = render_people(
            branch, held_out, options.output / "unseen.safetensors", options, options.renders // 10 + 1
        )
        if options.detection_seconds > 0:
            with progress("detection stage") as report:
                metrics["detection_steps"] = train_on_detections(
                    branch, seen, library, body, seconds=options.detection_seconds, seed=options.seed, report=report
                )
        if options.feature_seconds > 0:
            with progress("feature stage") as report:
                metrics["feature_steps"] = train_on_features(
                    branch, seen, body, seconds=options.feature_seconds, seed=options.seed, report=report
                )
        metrics |= validate_on_renders(branch, unseen, body)
    return metrics | validate(branch, held_out, body)


def main(arguments: list[str] | None = None) -> None:
    """Train, validate, save."""
    options = parse_arguments(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    file = load_body()
    branch = build_open_body()
    load_trunk(branch, options.trunk)
    if options.start:
        load_part(branch, options.start, "open")
    metrics = run_stages(branch.to(options.device), file, options)
    save_body(branch, options.output, metadata(file, metrics))
    (options.output / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(json.dumps(metrics))


if __name__ == "__main__":
    main()
