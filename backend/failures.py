"""What an exception means to whoever asked for the work: the one place where exceptions become codes."""

from __future__ import annotations

import errno
import logging

from .protocol import Code, Failed, failure

log = logging.getLogger(__name__)

FULL = {errno.ENOSPC, errno.EDQUOT}


def expected_errors() -> dict[type[Exception], Code]:
    """Exceptions whose text is a sentence for users; the first one that fits counts. Imports torch."""
    import torch

    from .device import DeviceError
    from .frames import VideoError
    from .model.presets import PresetError
    from .motion.body_file import BodyFileError
    from .motion.take import TakeError
    from .people import CaptureError, ChoiceError
    from .protocol import ProtocolError
    from .weights import WeightsError

    return {
        VideoError: Code.SOURCE,
        ChoiceError: Code.BAD_REQUEST,
        CaptureError: Code.NOBODY,
        WeightsError: Code.WEIGHTS,
        BodyFileError: Code.BODY,
        DeviceError: Code.DEVICE,
        PresetError: Code.BAD_REQUEST,
        ProtocolError: Code.BAD_REQUEST,
        TakeError: Code.INTERNAL,
        PermissionError: Code.SOURCE,
        MemoryError: Code.MEMORY,
        torch.OutOfMemoryError: Code.MEMORY,
    }


def capture_failure(error: Exception) -> Failed:
    """What to say when a capture or a scan ended with an exception."""
    for kind, code in expected_errors().items():
        if isinstance(error, kind):
            return failure(code, sentence(error) if code is not Code.MEMORY else _memory(error))
    return system_failure(error)


def system_failure(error: Exception) -> Failed:
    """What to say about an exception outside of a capture; one that nobody expected goes to the log as it is."""
    if isinstance(error, OSError) and error.errno in FULL:
        where = f" for {error.filename}" if error.filename else ""
        return failure(Code.DISK_FULL, f"There is no space left on the disk{where}.")
    log.error("unexpected error", exc_info=error)
    return internal_failure(error)


def internal_failure(error: Exception) -> Failed:
    """What to say about an exception that nobody expected."""
    return failure(Code.INTERNAL, f"{type(error).__name__}: {error}")


def sentence(error: Exception) -> str:
    """The exception's text, begun and ended like a sentence; a path at its beginning stays as it is."""
    text = str(error)
    begun = text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() else text
    return begun if begun.endswith((".", "!", "?")) else f"{begun}."


def _memory(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return f"There was not enough memory{f': {first}' if first else '.'}"
