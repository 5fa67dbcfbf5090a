r"""Train the face branch of the preset `open`: from the face network's landmarks to jaw rotation and expression.

    python -m pose2pose.training.open_preset.face \
        --trunk face.safetensors --panoramas panoramas.npz --seconds 240 -o face_run

Renders a few neutral faces, on which the frozen pretrained network shows where its 468 points lie on the body. From
then on the body itself moves them, and the head (paper section 3.3) learns from their places in a frame free of the
head's pose.
"""

import torch

from ...backend.model.face import LandmarkFaceBranch
from ...backend.model.presets import preset
from ...backend.motion.body_file import load_body
from ...backend.weights import part_path, save_part
from ..synthetic.face_points import FaceSurface, bind_landmarks
from ..synthetic.face_variation import sample_faces
from ..synthetic.faces import FaceRenderer
from ..synthetic.scenery import Scenery
from .clock import progress
from .face_head import FaceModel, evaluate, fit_frame, train_head
from .parts import header, load_trunk, option_parser

FRAME_FACES, HELD_OUT_FACES = 8192, 4096


def main(arguments: list[str] | None = None) -> None:
    """Bind, train, evaluate, save."""
    options = option_parser("face", renders=48, seconds=240).parse_args(arguments)
    torch.manual_seed(options.seed)
    body = load_body()
    branch = preset("open").build_face().to(options.device).eval()
    assert isinstance(branch, LandmarkFaceBranch)
    load_trunk(branch.backbone, options.trunk)
    renderer = FaceRenderer(body=body, scenery=Scenery.load(options.panoramas, options.device), device=options.device)
    generator = torch.Generator(device=options.device).manual_seed(1000 * options.seed + 1)
    binding = bind_landmarks(branch.backbone, renderer, generator, options.renders)
    surface, model = FaceSurface(renderer.layer, binding), FaceModel(renderer.layer)

    validation = sample_faces(generator, surface, HELD_OUT_FACES)
    fit_frame(branch, surface, sample_faces(generator, surface, FRAME_FACES))
    with progress("face") as report:
        steps = train_head(branch, surface, model, seconds=options.seconds, seed=options.seed, report=report)
    metrics = evaluate(branch, validation, model, body.expression_names)
    for name, value in metrics.items():
        print(f"{name:32s} {value:7.2f}")
    print(f"{steps} steps, {len(validation.points)} held-out faces")
    metadata = header("face", body.name, options, metrics)
    metadata["training_data"] = (
        f"places of landmarks on the surface of the body '{body.name}', bound on {options.renders} rendered neutral "
        "faces; no real pictures"
    )
    save_part(branch, part_path("open", "face", options.output), metadata)


if __name__ == "__main__":
    main()
