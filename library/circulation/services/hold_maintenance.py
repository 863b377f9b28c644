"""The queues at the turn of the day: what was not fetched goes on, and who stepped aside comes back."""

from datetime import datetime

from library.circulation.selectors.holds import holds_not_fetched, holds_to_wake
from library.circulation.services.holds import expire_hold, resume_hold
from library.circulation.services.refusals import CirculationRefused


def tend_holds(*, now: datetime) -> dict[str, int]:
    """End the holds that were not fetched in time, and let those wait again whose suspension is over.

    Each is a transaction of its own, so that the desk never waits for all of them; a second run finds nothing
    left to do.

    Parameters
    ----------
    now : datetime

    Returns
    -------
    dict
        How many were `resumed` and `expired`.
    """
    done = {"resumed": 0, "expired": 0}
    for outcome, holds, act in (
        ("resumed", holds_to_wake(now=now), resume_hold),
        ("expired", holds_not_fetched(now=now), expire_hold),
    ):
        for hold in list(holds.order_by("pk")):
            try:
                act(hold=hold, now=now)
            except CirculationRefused:
                # Fetched or cancelled at the desk meanwhile.
                continue
            done[outcome] += 1
    return done
