r"""Train the hand branch of the preset `open`: from the hand network's points and features to finger rotations.

    python -m pose2pose.training.open_preset.hand \
        --trunk hand.safetensors --panoramas panoramas.npz --seconds 600 -o hand_run

Renders right hands once, runs the frozen pretrained network on them, and trains the RotationNet (paper section 3.2) on
its 21 points and the features pooled there. The renders stay in the folder and serve later runs.
"""

import torch

from ...backend.model.hand import HandBranch
from ...backend.model.presets import preset
from ...backend.motion.body_file import load_body
from ...backend.weights import part_path, save_part
from ..synthetic.hand_poses import hand_axes
from ..synthetic.hands import HandSampler
from ..synthetic.scenery import Scenery
from ..synthetic.shards import render_shards
from .clock import progress
from .hand_head import FingerModel, Observations, drop_features, evaluate, mean_rotations, observe, train_head
from .parts import header, held_out, load_trunk, parse_options, remembered

MIN_PRESENCE = 0.1
"""The capture ignores hands that the network does not see; training does too."""


def main(arguments: list[str] | None = None) -> None:
    """Render, observe, train, evaluate, save."""
    options = parse_options("hand", arguments, renders=12_000, seconds=600)
    torch.manual_seed(options.seed)
    body = load_body()
    scenery = Scenery.load(options.panoramas, options.device)
    sampler = HandSampler(body=body, scenery=scenery, device=options.device)
    paths = render_shards(
        options.output / "renders",
        options.renders,
        sampler.sample,
        seed=1000 * options.seed,
        device=options.device,
        name="hands",
    )
    branch: HandBranch = preset("open").build_hand().to(options.device).eval()
    load_trunk(branch.get_submodule("position.backbone"), options.trunk)
    seen = remembered(
        options.output / "observations.safetensors",
        f"{options.trunk} {[path.name for path in paths]}",
        Observations,
        lambda: observe(branch, paths, options.device),
    )
    unseen = held_out(len(seen.points), options.device)
    recognized = seen.presence >= (0 if options.trunk is None else MIN_PRESENCE)
    training, validation = seen.take(~unseen & recognized), seen.take(unseen & recognized)

    model = FingerModel(sampler.layer)
    with progress("hand") as report:
        steps = train_head(
            branch,
            training,
            hand_axes(body, options.device),
            model,
            seconds=options.seconds,
            seed=options.seed,
            report=report,
        )
    metrics = evaluate(branch, validation, mean_rotations(training.rotations), model)
    if metrics["points_and_features_wrist_mm"] > metrics["points_only_wrist_mm"]:
        drop_features(branch)
    for name, value in metrics.items():
        print(f"{name:32s} {value:7.2f}")
    print(f"{steps} steps, {len(training.points)} training and {len(validation.points)} held-out hands")
    save_part(branch, part_path("open", "hand", options.output), header("hand", body.name, options, metrics))


if __name__ == "__main__":
    main()
