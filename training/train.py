"""`pose2pose-train train CONFIG -o RUN`: a network learns (paper, section 4), and goes on where it was stopped.

A run is a folder: `config.toml` (all values, defaults too), `log.jsonl`, `tensorboard/`, `sheets/`, `checkpoints/` and
in the end `weights/`.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from ..backend.terminal import Interrupts
from .body_models.human_models import HumanModel, build_human_model
from .checkpoint import WEIGHTS, save_checkpoint
from .config import Config, ConfigError, load_config
from .datasets.build import TrainingData, build_training
from .engine import Learner, predict_alone, train_one_epoch
from .learning.distributed import Team, join_team
from .learning.learner import build_learner, build_view
from .learning.loading import load_batches, shares
from .learning.run_log import RunLog
from .learning.runs import check_run, claim_run, export, restore, snapshot
from .learning.sheets import draw_sheet
from .network.initial import TwoStageOutput
from .targets import Batch

STOPPED = 130
"""Exit code after Ctrl-C."""


def train(config: Config, run: Path, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Train, from the newest checkpoint in the folder if there is one.

    Args:
        config: the experiment.
        run: folder of the run.
        interrupted: whether to stop; asked after every step.

    Returns:
        How many steps are left: 0 when the weights have been written.

    Raises:
        RunError: the folder holds a run of another configuration.
        SampleError, NotFiniteError: a sample cannot be learnt from.
        ConfigError, DeviceError, MissingModelError: the run cannot begin.
    """
    with join_team(config.schedule.device) as team, ExitStack() as stack:
        if team.leads:
            check_run(config, run)
        session = _begin(config, run, team, interrupted)
        done = restore(session.learner, run)
        if team.leads:
            claim_run(config, run)
            log = stack.enter_context(RunLog(run, steps=session.steps, done=done))
            session = replace(session, log=log)
        stopped = False
        while done < session.steps and not stopped:
            stopped, done = _train_epoch(session, done)
        if done == session.steps and team.leads:
            export(session.learner, config, run / WEIGHTS)
    return session.steps - done


@dataclass(frozen=True)
class Session:
    """A run that is going on."""

    config: Config
    run: Path
    data: TrainingData
    model: HumanModel
    learner: Learner
    interrupted: Callable[[], bool]
    log: RunLog | None = None

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch."""
        return self.data.samples.epoch_length // self.config.schedule.batch

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.config.schedule.epochs * self.epoch_steps


def _begin(config: Config, run: Path, team: Team, interrupted: Callable[[], bool]) -> Session:
    """Build everything, and check that it can be trained."""
    schedule, network = config.schedule, config.network
    if schedule.batch % (team.count * schedule.accumulate):
        raise ConfigError(
            f"schedule.batch must be a multiple of {team.count} processes x {schedule.accumulate} parts "
            f"(schedule.accumulate). Got {schedule.batch}"
        )
    models = Path(config.models.folder) if config.models.folder else None
    model = build_human_model(network.part, models).to(team.device)
    data = build_training(config.data, model, models, size=network.picture_size, seed=schedule.seed)
    if data.samples.epoch_length < schedule.batch:
        raise ConfigError(f"schedule.batch is {schedule.batch}, and an epoch has {data.samples.epoch_length} samples")
    learner = build_learner(config, model, data.samples, team)
    return Session(config, run, data, model, learner, interrupted)


def _train_epoch(session: Session, done: int) -> tuple[bool, int]:
    """The rest of the epoch after so many steps; whether it was interrupted, and how many steps are done then."""
    schedule, learner, team = session.config.schedule, session.learner, session.learner.team
    epoch, start = divmod(done, session.epoch_steps)
    rate = schedule.rate_at(epoch)
    for group in learner.optimizer.param_groups:
        group["lr"] = rate
    order = session.data.order(epoch)
    parts = schedule.accumulate
    items = shares(order, epoch=epoch, batch=schedule.batch, start=start, rank=team.rank, processes=team.count,
                   parts=parts)  # fmt: skip
    batches = load_batches(session.data.examples, items, parts=parts, workers=session.config.data.workers,
                           pinned=team.device.type == "cuda")  # fmt: skip
    diary = Diary(session, epoch, rate)
    stopped = train_one_epoch(
        learner, batches, seed=schedule.seed, step=done, record=diary.record, interrupted=session.interrupted
    )
    diary.close()
    return stopped, diary.done


class Diary:
    """Writes down an epoch: every step in the log, a checkpoint now and then, both and a sheet at its end.

    Only the leading process has a log and writes; the others count.

    Args:
        session: the run.
        epoch: its number.
        rate: the learning rate.
    """

    def __init__(self, session: Session, epoch: int, rate: float) -> None:
        self._session = session
        self._about = {"epoch": epoch, "rate": rate}
        self._saved = time.monotonic()
        self._batch: Batch = {}
        self.done = 0

    def record(self, step: int, values: dict[str, float], batch: Batch) -> None:
        """After a step."""
        self.done, self._batch = step + 1, batch
        if self._session.log is None:
            return
        self._session.log.step(step, {**self._about, **values})
        if time.monotonic() - self._saved >= 60 * self._session.config.schedule.checkpoint_minutes:
            self._save()

    def close(self) -> None:
        """At the end of the epoch, or where it was interrupted."""
        session = self._session
        if session.log is None:
            return
        self._save()
        output = predict_alone(session.learner, self._batch)
        if isinstance(output, TwoStageOutput):
            output = output.final
        sheet = draw_sheet(output, self._batch, session.model, build_view(session.config.network))
        session.log.sheet(self.done - 1, sheet)

    def _save(self) -> None:
        session = self._session
        save_checkpoint(session.run, self.done, snapshot(session.learner, self.done), keep=session.config.schedule.keep)
        self._saved = time.monotonic()


def add_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `train` to the commands of `pose2pose-train`."""
    parser = subparsers.add_parser(
        "train", help="train a network, or go on with a training", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("config", metavar="CONFIG", help="TOML file, or the name of a published experiment")
    parser.add_argument(
        "changes", nargs="*", metavar="CHANGE", help="+NAME merges another file, key=value sets one value"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.set_defaults(run=run_train)


def run_train(options: argparse.Namespace) -> int:
    """`pose2pose-train train`; Ctrl-C leaves a checkpoint."""
    config = load_config(options.config, options.changes)
    with Interrupts(lambda text: tqdm.write(text, file=sys.stderr)) as interrupted:
        left = train(config, options.output, interrupted)
    if int(os.environ.get("RANK", "0")):
        return STOPPED if left else 0
    if left:
        print(f"{options.output}: stopped {left} steps before the end; the same command goes on", file=sys.stderr)
        return STOPPED
    print(f"{options.output / WEIGHTS}: trained")
    return 0
