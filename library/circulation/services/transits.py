"""Route copies: to the shelf, to the hold shelf or to another branch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from library.catalogue.models import Branch, Copy
from library.circulation.models import Hold, LoanEvent
from library.circulation.selectors.calendar import library_date
from library.circulation.selectors.holds import is_waiting
from library.circulation.services.events import record_hold_event
from library.circulation.services.locks import load_borrower, update_row


class Action(StrEnum):
    """Next step for a copy at the desk."""

    SHELVE = "shelve"
    HOLD_SHELF = "hold_shelf"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Routing:
    """Next step for a copy, with the hold it is for and the branch it is sent to."""

    action: Action
    hold: Hold | None = None
    destination: Branch | None = None


def route_copy(*, copy: Copy, branch: Branch | None, queue: Sequence[Hold], now: datetime) -> Routing:
    """Assign a copy to the next hold in the queue or send it to its home branch; save its new status.

    Parameters
    ----------
    copy
        Locked, with its book.
    branch
        Branch where the copy is; None in a library without branches.
    queue
        Active holds of the title, locked, in queue order.
    """
    today = library_date(at=now)
    hold = next((hold for hold in queue if hold.copy_id == copy.pk), None)
    hold = hold or next((hold for hold in queue if is_waiting(hold=hold, today=today)), None)
    if hold is None:
        elsewhere = copy.branch if _is_elsewhere(copy.branch_id, branch) else None
        _set_status(copy, Copy.Status.IN_TRANSIT if elsewhere else Copy.Status.AVAILABLE, now)
        return Routing(Action.SEND if elsewhere else Action.SHELVE, destination=elsewhere)
    load_borrower(hold=hold)
    elsewhere = hold.pickup_branch if _is_elsewhere(hold.pickup_branch_id, branch) else None
    _assign(hold, copy, Hold.Status.WAITING if elsewhere else Hold.Status.READY, now)
    _set_status(copy, Copy.Status.IN_TRANSIT if elsewhere else Copy.Status.ON_HOLD_SHELF, now)
    return Routing(Action.SEND if elsewhere else Action.HOLD_SHELF, hold=hold, destination=elsewhere)


def _is_elsewhere(branch_id: int | None, here: Branch | None) -> bool:
    """Return whether both branches are known and differ; compares keys to avoid reading the branch."""
    return here is not None and branch_id not in (None, here.pk)


def _set_status(copy: Copy, status: Copy.Status, now: datetime) -> None:
    update_row(Copy.objects.filter(pk=copy.pk, status=copy.status), status=status, last_seen_at=now)
    copy.status, copy.last_seen_at = status, now


def _assign(hold: Hold, copy: Copy, status: Hold.Status, now: datetime) -> None:
    if (hold.copy_id, hold.status) == (copy.pk, status):
        return
    ready = status == Hold.Status.READY
    before = Hold.objects.filter(pk=hold.pk, status=hold.status, copy=hold.copy_id)
    hold.copy, hold.status, hold.ready_at, hold.suspended_until = copy, status, now if ready else None, None
    update_row(before, copy=copy, status=status, ready_at=hold.ready_at, suspended_until=None)
    if ready:
        record_hold_event(kind=LoanEvent.Kind.HOLD_READY, occurred_at=now, hold=hold, copy=copy)
