"""What a training says: a line of JSON for each step, curves and pictures for TensorBoard, a bar with the time left."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from ..checkpoint import whole_file

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"
SHEETS = "sheets"


class RunLog:
    """The log of one run; one process of a training has it.

    A run that goes on drops the lines after the step it goes on from, which will come again.

    Args:
        run: folder of the run.
        steps: of the whole training.
        done: steps before this one.
    """

    def __init__(self, run: Path, *, steps: int, done: int) -> None:
        self._run = run
        if (run / LOG).exists():
            _cut(run / LOG, done)
        self._lines = (run / LOG).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run / TENSORBOARD), purge_step=done)
        self._bar = tqdm(total=steps, initial=done, unit="step", dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()
        self._board.close()
        self._lines.close()

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """Record the numbers of a step, which are counted from 0; `epoch` and `loss` also go to the bar."""
        self._lines.write(json.dumps({"step": step, **values}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._bar.set_description(f"epoch {values['epoch']:.0f}", refresh=False)
        self._bar.set_postfix_str(f"loss {values['loss']:.4f}", refresh=False)
        self._bar.update()

    def sheet(self, step: int, sheet: NDArray[np.uint8]) -> None:
        """Keep a picture (H, W, 3) RGB, as a file and in TensorBoard."""
        path = self._run / SHEETS / f"step_{step:08d}.jpg"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        self._board.add_image("samples", sheet, step, dataformats="HWC")


def read_log(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; one that was being written when the run was killed is left out."""
    return _parsed((run / LOG).read_text(encoding="utf-8"))


def _parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _cut(path: Path, done: int) -> None:
    """Leave the lines of the first steps."""
    kept = [line for line in _parsed(path.read_text(encoding="utf-8")) if line["step"] < done]
    with whole_file(path) as partial:
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
