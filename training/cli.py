"""The command `pose2pose-train`. A command lives in its module's `add_command`, which is imported when it is asked for.

On several GPUs: `torchrun --nproc-per-node=4 -m pose2pose.training.cli train CONFIG -o RUN`.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ..backend.memory import keep_freed_memory

COMMANDS = {
    "train": (".train", "train a network, or go on with a training"),
    "evaluate": (".evaluate", "measure a network on the data sets of a configuration"),
    "reproduce": (".reproduce", "run the configurations of one of the paper's tables, and print it"),
    "check-data": (".check_data", "count the files of data sets, draw samples, name what is missing"),
    "synthesize": (".synthetic.synthesize", "render people with labels to train on"),
    "film": (".synthetic.films", "render films of people who move, to measure captures on"),
    "open": (".open_preset.train", "train and measure the default weights of the preset open"),
}
"""Each command's module and what `--help` says about it."""

FAILED = 2
STOPPED = 130
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. Expected errors become one sentence, bugs keep their traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    keep_freed_memory()
    try:
        options = _parse(given)
        code: int = options.run(options)
        return code
    except KeyboardInterrupt:
        print("pose2pose-train: stopped", file=sys.stderr)
        return STOPPED
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pose2pose"):
            raise
        print(f"pose2pose-train: {error.name} is not installed; pip install 'pose2pose[training]'", file=sys.stderr)
        return FAILED
    except Exception as error:
        if not _speaks(error):
            raise
        print(f"pose2pose-train: {error}", file=sys.stderr)
        return FAILED


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Only the module of the command that is asked for is imported; others would bring torch for a line of help.

    Changes of a configuration may stand anywhere, also behind options.
    """
    parser = argparse.ArgumentParser(
        prog="pose2pose-train", description="Train and measure the networks of the paper and the default weights."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    chosen = next((argument for argument in arguments if not argument.startswith("-")), "")
    for name, (module, text) in COMMANDS.items():
        if name == chosen:
            import_module(module, __package__).add_command(commands)
        else:
            commands.add_parser(name, help=text)
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "changes") or any(argument.startswith("-") for argument in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.changes = [*options.changes, *rest]
    return options


def _speaks(error: Exception) -> bool:
    """Whether its text is a sentence for users: so are all exceptions that the training defines itself."""
    from ..backend.failures import expected_errors

    return type(error).__module__.startswith(f"{__package__}.") or isinstance(error, tuple(expected_errors()))


if __name__ == "__main__":
    sys.exit(main())
