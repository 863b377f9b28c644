"""Refusals: all reasons why a request to circulation cannot be done."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from library.errors import ConflictError


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for a refusal: a code for programs and a sentence for people."""

    code: str
    message: str


class CirculationRefused(ConflictError):  # noqa: N818 - a decision by the rules, not an error
    """The request conflicts with the current state; nothing was changed.

    Parameters
    ----------
    reasons
        All of them, not only the first.
    """

    def __init__(self, reasons: Sequence[Reason]) -> None:
        message = " ".join(reason.message for reason in reasons)
        super().__init__(message, reasons=[asdict(reason) for reason in reasons])
        self.reasons = tuple(reasons)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(reason.code for reason in self.reasons)


def raise_if_refused(reasons: Sequence[Reason]) -> None:
    """Raise a refusal if there are reasons. Raises `CirculationRefused`."""
    if reasons:
        raise CirculationRefused(reasons)
