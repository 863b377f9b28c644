"""Why the desk says no: every reason at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from library.errors import ConflictError


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a code for programs and a sentence for people."""

    code: str
    message: str


class CirculationRefused(ConflictError):  # noqa: N818 - a decision of the library's, not a fault
    """What was asked for cannot be done as things stand; nothing was changed.

    Parameters
    ----------
    reasons : sequence of Reason
        All that stand in the way, not only the first.
    """

    def __init__(self, reasons: Sequence[Reason]) -> None:
        message = " ".join(reason.message for reason in reasons)
        super().__init__(message, reasons=[asdict(reason) for reason in reasons])
        self.reasons = tuple(reasons)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(reason.code for reason in self.reasons)


def refuse_if(reasons: Sequence[Reason]) -> None:
    """Raise the refusal if there is any reason.

    Raises
    ------
    CirculationRefused
    """
    if reasons:
        raise CirculationRefused(reasons)
