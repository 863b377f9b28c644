"""Nightly hold maintenance: expire uncollected holds, resume suspended ones."""

from datetime import datetime

from library.circulation.selectors.holds import holds_to_resume, unclaimed_holds
from library.circulation.services.holds import expire_hold, resume_hold
from library.circulation.services.refusals import CirculationRefused


def maintain_holds(*, now: datetime) -> dict[str, int]:
    """Expire uncollected holds and resume holds whose suspension is over; return their numbers.

    Each hold has its own transaction, so that the desk never waits for the whole run. Repeated runs are
    harmless.
    """
    done = {"resumed": 0, "expired": 0}
    for outcome, holds, act in (
        ("resumed", holds_to_resume(now=now), resume_hold),
        ("expired", unclaimed_holds(now=now), expire_hold),
    ):
        for hold in list(holds.order_by("pk")):
            try:
                act(hold=hold, now=now)
            except CirculationRefused:
                # The desk has checked out the copy or cancelled the hold.
                continue
            done[outcome] += 1
    return done
