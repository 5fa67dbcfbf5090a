"""The command `pose2pose weights`: import, export, merge, list, show, verify, remove."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_weights_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `weights` with its own commands to those of `pose2pose`."""
    parser = subparsers.add_parser(
        "weights", help="import the authors' checkpoints; list, check, remove, export weights"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    importing = commands.add_parser("import", help="a checkpoint of the authors (.pth.tar) -> weights to capture with")
    importing.add_argument("checkpoint", type=Path, metavar="FILE", help="such as snapshot_6.pth.tar")
    importing.add_argument("--name", help="what to call them (default: the model's name)")
    importing.set_defaults(run=run_import)

    exporting = commands.add_parser("export", help="weights -> a checkpoint that the authors' code loads")
    exporting.add_argument("name", metavar="NAME", help="of the weights, or their folder")
    exporting.add_argument("checkpoint", type=Path, metavar="FILE", help="to write, such as snapshot_0.pth.tar")
    exporting.set_defaults(run=run_export)

    merging = commands.add_parser("merge", help="put a hand model into a whole-body one, to train on from there")
    merging.add_argument("whole", metavar="WHOLE", help="weights of hand4whole")
    merging.add_argument("hand", metavar="HAND", help="weights of pose2pose_hand")
    merging.add_argument("--name", required=True, help="what to call the result")
    merging.set_defaults(run=run_merge)

    commands.add_parser("list", help="all weights that are here").set_defaults(run=run_list)
    for command, run, text in (
        ("show", run_show, "everything that is known about weights"),
        ("verify", run_verify, "whether weights are complete and undamaged"),
        ("remove", run_remove, "delete imported weights"),
    ):
        single = commands.add_parser(command, help=text)
        single.add_argument("name", metavar="NAME")
        single.set_defaults(run=run)


def run_import(options: argparse.Namespace) -> int:
    """Import a checkpoint."""
    from .official.exchange import import_weights

    weights = import_weights(options.checkpoint, options.name)
    preset = weights.files[0].metadata["preset"]
    print(f"{weights.folder}: {preset}, {weights.megabytes:.0f} MB")
    if preset == "hand4whole":
        print(f"capture with: --preset hand4whole --weights {weights.name} --body SMPLX_NEUTRAL.npz")
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Export weights."""
    from .official.exchange import export_weights

    print(f"{options.checkpoint}: {export_weights(options.name, options.checkpoint).name} in the authors' layout")
    return 0


def run_merge(options: argparse.Namespace) -> int:
    """Merge a hand model into a whole-body one."""
    from .official.exchange import merge_weights

    weights = merge_weights(options.whole, options.hand, options.name)
    print(f"{weights.folder}: to train on from; its body has not seen these hands")
    return 0


def run_list(options: argparse.Namespace) -> int:
    """List all weights, one line each."""
    from .weights_sets import list_sets

    for weights in list_sets():
        print(f"{weights.name:20} {', '.join(weights.presets) or '-':16} {weights.megabytes:6.0f} MB  {weights.folder}")
    return 0


def run_show(options: argparse.Namespace) -> int:
    """Show the files of weights with their metadata."""
    from .weights_sets import find_set

    weights = find_set(options.name)
    print(f"{weights.name}: {weights.folder}")
    for file in weights.files:
        print(f"{file.path.name}, {file.size / 1e6:.1f} MB")
        for key in sorted(file.metadata):
            print(f"    {key}: {file.metadata[key]}")
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """Check weights; the exit code is 1 if something is wrong."""
    from .weights_sets import find_set, verify_set

    wrong = verify_set(find_set(options.name))
    print("\n".join(wrong) or f"{options.name}: complete and undamaged")
    return 1 if wrong else 0


def run_remove(options: argparse.Namespace) -> int:
    """Delete imported weights."""
    from .weights_sets import remove_set

    print(f"removed {remove_set(options.name)}")
    return 0
