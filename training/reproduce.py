"""`pose2pose-train reproduce table3`: trains every configuration of one of the paper's tables, measures, and prints it.

    FOLDER/runs/CONFIG/seed0/                   a run of `pose2pose-train train`
    FOLDER/runs/CONFIG/seed0/evaluation_ehf/    what `pose2pose-train evaluate` says about it
    FOLDER/table3.md, FOLDER/table3.json        the table, rewritten after every run

Run again, it goes on where it stopped. Tables share the runs of one folder: most of them have the paper's own network
as a row. What changes the configurations (`+reduced`, `data.root=...`) changes all of them alike. As in the paper,
`--hands hand_pretraining` trains the hand branches first, each in `FOLDER/runs/hand_pretraining/KIND/seed0/`.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import Config, ConfigError, build_config, config_differences, load_config
from .evaluate import BATCH, PAPER_BATCH, evaluate, set_name
from .learning.hand_first import HandTraining, hand_training
from .measuring.paper_numbers import TABLES, Table
from .measuring.results import RESULTS, numbers_of
from .measuring.tables import RESOURCES, Results, as_json, markdown

COMMAND = ("-m", "pose2pose.training.cli")
STOPPED = 130
"""Exit code of a training that Ctrl-C has ended."""

TESTS = {11: 'data.test=[{name="mscoco", split="val"}]'}
"""Tables that are not measured on the test sets of their configurations."""

Train = Callable[[str, Sequence[str], Path], None]
"""Configuration, changes, folder of the run: trains to the end."""


class ReproductionError(RuntimeError):
    """A table cannot be made."""


@dataclass(frozen=True)
class Experiment:
    """One run of the plan: a configuration, what is changed in it for the training, and how it is measured."""

    name: str
    changes: tuple[str, ...]
    config: Config
    run: Path
    first: HandTraining | None = None

    @property
    def evaluation(self) -> Path:
        """Folder of its results, one for each choice of test sets."""
        return self.run / "_".join(["evaluation", *(set_name(source) for source in self.config.data.test)])


def add_command(subparsers: Any) -> None:
    """Add `reproduce` to the command line."""
    parser = subparsers.add_parser(
        "reproduce", help="train and measure all configurations of one of the paper's tables"
    )
    parser.add_argument("table", help="table1 to table11")
    parser.add_argument("changes", nargs="*", help="+NAME merges a file, table.key=value sets a value, in all of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs and the table")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one run of each configuration for each")
    parser.add_argument("--hands", metavar="CONFIG", help="train the hand branches first, by this configuration")
    parser.add_argument("--batch", type=int, default=BATCH, help="samples at once in evaluations")
    parser.add_argument(
        "--resources", type=int, default=PAPER_BATCH, metavar="BATCH", help="samples of the iteration that is measured"
    )
    parser.add_argument(
        "--launcher",
        default="",
        help='what starts a training (default: this Python), such as "torchrun --nproc-per-node=4"',
    )
    parser.set_defaults(run=run_reproduce)


def run_reproduce(options: argparse.Namespace) -> int:
    """`pose2pose-train reproduce`; returns the exit code."""
    table = find_table(options.table)
    launcher = shlex.split(options.launcher) or [sys.executable]

    def train(name: str, changes: Sequence[str], run: Path) -> None:
        train_by_command(launcher, name, changes, run)

    reproduce(table, options.changes, options.seeds, options.output, train, hands=options.hands,
              batch=options.batch, resources=options.resources)  # fmt: skip
    print((options.output / f"table{table.number}.md").read_text(encoding="utf-8"))
    return 0


def find_table(name: str) -> Table:
    """The table of a name such as `table3`.

    Raises:
        ReproductionError: the paper has none of that name.
    """
    number = name.removeprefix("table")
    if not number.isdecimal() or int(number) not in TABLES:
        raise ReproductionError(f"no table {name!r}; there are {', '.join(f'table{n}' for n in TABLES)}")
    return TABLES[int(number)]


def reproduce(
    table: Table,
    changes: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    train: Train,
    *,
    hands: str | None = None,
    batch: int = BATCH,
    resources: int = PAPER_BATCH,
) -> dict[str, list[Results]]:
    """Train and measure what is not yet measured, and write the table after each run.

    Args:
        table: of the paper.
        changes: to every configuration.
        seeds: of the runs of each configuration.
        folder: of the runs and the table.
        train: trains one of them to the end.
        hands: configuration by which hand branches are trained first; None starts them as the configurations say.
        batch: samples at once in evaluations.
        resources: samples of the iteration whose memory and time are measured, where the table has them.

    Returns:
        Configuration -> results of each seed.

    Raises:
        ConfigError: a configuration cannot be used, or lies there trained with other values.
        ReproductionError: a training failed.
    """
    plan = [plan_experiment(table, name, changes, seed, folder, hands) for seed in seeds for name in table.configs]
    measured = any(column.dataset == RESOURCES for column in table.columns)
    found: dict[str, list[Results]] = {}
    for experiment in plan:
        results = finished(experiment)
        if results is None or (measured and RESOURCES not in results):
            if experiment.first is not None and not experiment.first.weights.is_file():
                train(experiment.first.name, experiment.first.changes, experiment.first.run)
            train(experiment.name, experiment.changes, experiment.run)
            results = evaluate(experiment.config, experiment.run, experiment.evaluation, name=experiment.name,
                               batch=batch, resources=resources if measured else None)  # fmt: skip
        found.setdefault(experiment.name, []).append(numbers_of(results))
        write_table(table, found, folder, {"changes": list(changes), "seeds": list(seeds), "hands": hands})
    return found


def plan_experiment(
    table: Table, name: str, changes: Sequence[str], seed: int, folder: Path, hands: str | None = None
) -> Experiment:
    """One run of a configuration; the arguments are those of `reproduce`."""
    every, runs = [*changes, f"schedule.seed={seed}"], folder / "runs"
    network = load_config(name, every).network
    first = None if hands is None else hand_training(hands, network, changes, seed, runs)
    if first is not None:
        every.append(f"network.hand_start={first.weights}")
    own = [TESTS[table.number]] if table.number in TESTS else []
    return Experiment(name, tuple(every), load_config(name, [*own, *every]), runs / name / f"seed{seed}", first)


def finished(experiment: Experiment) -> dict[str, Any] | None:
    """The results of a run that is trained and measured; None if there are none yet.

    Raises:
        ConfigError: they are of other values than the experiment's.
    """
    file = experiment.evaluation / RESULTS
    if not file.is_file():
        return None
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    differing = config_differences(build_config(results["values"]), experiment.config)
    if differing:
        raise ConfigError(
            f"{experiment.run} was trained with other values ({'; '.join(differing[:3])}); give another folder with -o"
        )
    return results


def train_by_command(launcher: Sequence[str], name: str, changes: Sequence[str], run: Path) -> None:
    """Train in a process of its own: nothing of one run is left in the memory of the next.

    Raises:
        KeyboardInterrupt: it was stopped by Ctrl-C.
        ReproductionError: it failed.
    """
    code = subprocess.run([*launcher, *COMMAND, "train", name, *changes, "-o", str(run)], check=False).returncode
    if code == STOPPED:
        raise KeyboardInterrupt
    if code:
        raise ReproductionError(f"training {name} ended with exit code {code}; the reason stands above. {run} goes on "
                                "when the same command runs again")  # fmt: skip


def write_table(table: Table, runs: dict[str, list[Results]], folder: Path, said: dict[str, Any]) -> None:
    """`tableN.md` and `tableN.json`; `said` is what the second records of the command."""
    stem = folder / f"table{table.number}"
    stem.with_suffix(".md").write_text(markdown(table, runs), encoding="utf-8")
    text = json.dumps(as_json(table, runs) | said, indent=2)
    stem.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
