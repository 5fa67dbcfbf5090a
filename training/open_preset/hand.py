r"""Train the hand branch of the preset `open`: its network's late layers, then the head that gives finger rotations.

    python -m pose2pose.training.open_preset.hand --trunk hand.safetensors --panoramas panoramas.npz \
        --renders 12000 --people 2000 --poses pose_library.npz --footage people.mp4 \
        --tuning-seconds 1800 --seconds 600 -o hand_run

Renders close-ups of right hands and whole people, and runs the published early layers on all of them once. The late
layers and a corrector behind them learn where the points are, how deep, and whether there is a hand (`hand_tuning.py`);
the RotationNet (paper section 3.2) then learns from their points and the features pooled there. Renders and maps stay
in the folder and serve later runs.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import torch
from torch import nn

from ...backend.model.hand import HandBranch, LandmarkPositionNet
from ...backend.model.mediapipe import HandLandmarkNet
from ...backend.model.pose2pose import IMAGE_SIZE
from ...backend.model.presets import preset
from ...backend.motion.body_file import BodyFile, load_body
from ...backend.weights import load_network, part_path, save_part
from ..synthetic.hand_poses import hand_axes
from ..synthetic.hands import HandSampler
from ..synthetic.people import PeopleSampler
from ..synthetic.pose_split import split_poses
from ..synthetic.scenery import Scenery
from ..synthetic.shards import render_shards
from .clock import progress
from .hand_head import FingerModel, drop_features, evaluate, mean_rotations, observe, train_head
from .hand_tuning import train_corrector, tune
from .hand_views import Crops, HandViews, close_ups, footage, moved_close_ups, people, view
from .parts import header, held_out, load_trunk, option_parser, remembered

MIN_PRESENCE = 0.1
"""The capture ignores hands that the network does not see; the evaluation does too."""


def main(arguments: list[str] | None = None) -> None:
    """Render, look, tune, train, evaluate, save."""
    options = parse_options(arguments)
    torch.manual_seed(options.seed)
    body = load_body()
    branch: HandBranch = preset("open").build_hand().to(options.device).eval()
    position = branch.position
    assert isinstance(position, LandmarkPositionNet)
    network = position.backbone
    load_trunk(network, options.trunk)
    near, moved, real = look(network, body, options)
    judged = held_out(len(near.maps), options.device)
    # the moved close-ups come first, in the same order
    training = moved.take(~nn.functional.pad(judged, (0, len(moved.maps) - len(judged))))
    with progress("network") as report:
        tune(network, training, real, seconds=options.tuning_seconds, seed=options.seed, report=report)
    with progress("corrector") as report:
        train_corrector(position, training, real, seconds=options.corrector_seconds, seed=options.seed, report=report)

    recognized = near.presence >= (0 if options.trunk is None else MIN_PRESENCE)
    validation, seen = observe(branch, near.take(judged & recognized)), observe(branch, training)
    model, axes = FingerModel(HandSampler(body=body, scenery=Scenery()).layer), hand_axes(body, options.device)
    with progress("hand") as report:
        train_head(branch, seen, axes, model, seconds=options.seconds, seed=options.seed, report=report)
    metrics = evaluate(branch, validation, mean_rotations(seen.rotations), model)
    if metrics["points_and_features_wrist_mm"] > metrics["points_only_wrist_mm"]:
        drop_features(branch)
    for name, value in metrics.items():
        print(f"{name:32s} {value:7.2f}")
    metadata = header("hand", body.name, options, metrics)
    metadata["training_data"] = (
        f"{options.renders} hands and {options.people} people rendered with the body '{body.name}'; "
        f"videos without labels: {', '.join(path.name for path in options.footage) or 'none'}"
    )
    print(f"{len(seen.points)} training and {len(validation.points)} held-out hands")
    save_part(branch, part_path("open", "hand", options.output), metadata)


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = option_parser("hand", renders=12_000, seconds=600)
    parser.add_argument("--people", type=int, default=2000, help="whole people to render (%(default)s)")
    parser.add_argument("--poses", type=Path, nargs="+", default=[], help="their pose libraries (needed for people)")
    parser.add_argument("--footage", type=Path, nargs="*", default=[], help="videos on which the network is held")
    parser.add_argument("--tuning-seconds", type=float, default=1800, help="of training the network (%(default)s)")
    parser.add_argument("--corrector-seconds", type=float, default=90, help="of training behind it (%(default)s)")
    options = parser.parse_args(arguments)
    if options.people and not options.poses:
        parser.error("--people needs --poses, or choose --people 0")
    return options


def look(
    network: HandLandmarkNet, body: BodyFile, options: argparse.Namespace
) -> tuple[HandViews, HandViews, HandViews]:
    """The published network's views: of close-ups as they are; of the same moved, then people; and of footage."""
    device, seed = options.device, options.seed
    scenery = Scenery.load(options.panoramas, device)
    sampler = HandSampler(body=body, scenery=scenery, device=device)
    folder = options.output / "renders"
    near = render_shards(folder, options.renders, sampler.sample, seed=1000 * seed, device=device, name="hands")
    far: list[Path] = []
    if options.people:
        poses, _ = split_poses(options.poses, body)
        height, width = IMAGE_SIZE
        crowd = PeopleSampler(
            body=body, poses=poses, scenery=scenery.part(False), device=device, height=height, width=width
        )
        far = render_shards(folder, options.people, crowd.sample, seed=1000 * seed, device=device, name="people")
    whole = load_network("open", device)

    def stored(name: str, views: Callable[[], Iterator[Crops]]) -> HandViews:
        key = f"{options.trunk} {[path.name for path in (*near, *far, *options.footage)]}"
        path = options.output / f"{name}.safetensors"
        return remembered(path, key, HandViews, lambda: view(network, views()))

    return (
        stored("close_ups", lambda: close_ups(near, device)),
        stored("moved", lambda: chain(moved_close_ups(near, device, seed), people(far, whole, device))),
        stored("footage", lambda: footage(options.footage, whole, device)),
    )


if __name__ == "__main__":
    main()
