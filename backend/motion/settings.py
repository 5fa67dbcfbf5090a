"""What is chosen when a take is keyed: smoothing, ground, fading. Beside the take, all that decides its keys."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mean_hand import with_flat_hands
from .presence import SEEN, fade_unseen
from .smoothing import Smoothing, Strength, smooth_take
from .take import Take


class SettingsError(ValueError):
    """Settings that cannot be used. Names the field and the value."""


@dataclass(frozen=True)
class KeySettings:
    """How a take becomes keys; the take itself stays as it was captured.

    Raises:
        SettingsError: a value outside of its range.
    """

    smoothing: Smoothing = Smoothing()  # noqa: RUF009 - frozen
    ground: bool = True
    """Whether people stand on the ground plane; otherwise they are where the camera at the origin saw them."""
    fade: float = SEEN
    """Confidence below which hands and face fade to rest, 0..1; 0 = never."""

    def __post_init__(self) -> None:
        if not isinstance(self.ground, bool):
            raise SettingsError(f"'ground' must be true or false, got {self.ground!r}")
        if isinstance(self.fade, bool) or not isinstance(self.fade, int | float) or not 0 <= self.fade <= 1:
            raise SettingsError(f"'fade' must be a confidence from 0 to 1, got {self.fade!r}")

    def to_json(self) -> str:
        """One line, read again by `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "KeySettings":
        """Read what `to_json` wrote; what is left out has its default.

        Raises:
            SettingsError: not JSON, an unknown key, or a value outside of its range.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"the settings are not JSON: {error}") from error
        values = _known(cls, values, "the settings")
        if "smoothing" in values:
            values["smoothing"] = _smoothing(values["smoothing"])
        return cls(**values)


def moved(take: Take, settings: KeySettings, hands_rest: NDArray[np.floating[Any]]) -> Take:
    """The take as it is keyed: fingers from flat hands, smoothed, hands and face at rest where they were not seen.

    Args:
        take: as captured, or from elsewhere.
        settings: what is chosen.
        hands_rest: (2, 15, 3) relaxed left and right hand, axis-angle in radians.
    """
    flat = with_flat_hands(take, hands_rest)
    return fade_unseen(smooth_take(flat, settings.smoothing), hands_rest, settings.fade)


def _smoothing(values: Any) -> Smoothing:
    values = _known(Smoothing, values, "'smoothing'")
    usual = Smoothing()
    try:
        for group in values.keys() - {"method"}:
            values[group] = replace(getattr(usual, group), **_known(Strength, values[group], f"'{group}'"))
        return Smoothing(**values)
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"'smoothing': {error}") from error


def _known(kind: type[Any], values: Any, what: str) -> dict[str, Any]:
    """The values of a JSON object whose keys are fields of `kind`."""
    if not isinstance(values, Mapping):
        raise SettingsError(f"{what} must be a JSON object, got {values!r}")
    names = [field.name for field in fields(kind)]
    unknown = [key for key in values if key not in names]
    if unknown:
        raise SettingsError(f"{what} hold an unknown key '{unknown[0]}': choose from {', '.join(names)}")
    return dict(values)
