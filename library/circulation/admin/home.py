"""Circulation tiles of the home page."""

from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.admin_site.widgets.tiles import Tile, labelled
from library.circulation.models import Hold, Loan, LoanEvent
from library.circulation.selectors.daily_counts import DailyCount, daily_counts
from library.circulation.selectors.holds import unclaimed_holds
from library.circulation.selectors.overdue import is_overdue

_LONG_OVERDUE_DAYS = 30
"""Days overdue after which a loan is rarely returned without action."""
_EVENT_LABELS = {
    LoanEvent.Kind.CHECKOUT: gettext_lazy("checkouts"),
    LoanEvent.Kind.CHECKIN: gettext_lazy("checkins"),
    LoanEvent.Kind.RENEWAL: gettext_lazy("renewals"),
    LoanEvent.Kind.HOLD_PLACED: gettext_lazy("holds placed"),
}


def circulation_tiles(*, user: AbstractBaseUser | AnonymousUser, now: datetime) -> list[Tile]:
    """Return the tiles that a user may see; each takes one or two queries."""
    tiles: list[Tile] = []
    account: Any = user
    if account.has_perm("circulation.view_loan"):
        tiles.append(_today(now))
    if account.has_perm("circulation.view_overdueloan"):
        tiles.append(_overdue(now))
    if account.has_perm("circulation.view_hold"):
        tiles.append(_holds(now))
    return tiles


def _today(now: datetime) -> Tile:
    counts = daily_counts(kinds=tuple(_EVENT_LABELS), now=now)
    return Tile(
        title=_("Checkouts today"),
        icon="sync_alt",
        value=_number(counts[LoanEvent.Kind.CHECKOUT].today),
        url=reverse("admin:circulation_loan_changelist"),
        lines=[labelled(label, _compared(counts[kind])) for kind, label in _EVENT_LABELS.items()],
        more=[
            (_("Check out"), reverse("admin:circulation_loan_checkout")),
            (_("Check in"), reverse("admin:circulation_loan_checkin")),
        ],
    )


def _compared(count: DailyCount) -> str:
    if count.typical_so_far is None or count.typical_day is None:
        return _number(count.today)
    values = {
        "today": _number(count.today),
        "usual": _number(count.typical_so_far),
        "day": _number(count.typical_day),
    }
    return _("%(today)s (typical for this weekday: %(usual)s by now, %(day)s in all)") % values


def _overdue(now: datetime) -> Tile:
    overdue = Loan.objects.filter(is_overdue(now=now)).count()
    long_overdue = Loan.objects.filter(is_overdue(now=now, days=_LONG_OVERDUE_DAYS)).count() if overdue else 0
    url = reverse("admin:circulation_overdueloan_changelist")
    lines = []
    if long_overdue:
        counts = {"days": _LONG_OVERDUE_DAYS, "loans": _number(long_overdue)}
        lines.append(_("%(days)s days or more: %(loans)s") % counts)
    return Tile(
        title=_("Overdue"),
        icon="schedule",
        value=_number(overdue),
        url=url,
        lines=lines,
        tone="todo" if overdue else "calm",
    )


def _holds(now: datetime) -> Tile:
    ready = Hold.objects.filter(status=Hold.Status.READY).count()
    unclaimed = unclaimed_holds(now=now).count() if ready else 0
    return Tile(
        title=_("Ready for pickup"),
        icon="inventory_2",
        value=_number(ready),
        url=reverse("admin:circulation_hold_changelist") + f"?status__exact={Hold.Status.READY}",
        lines=[_("unclaimed: %s") % _number(unclaimed)] if unclaimed else [],
        tone="todo" if unclaimed else "calm",
    )


def _number(value: float) -> str:
    return number_format(value, decimal_pos=None if value == int(value) else 1, force_grouping=True)
