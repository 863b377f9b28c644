"""The circulation's part of the home page."""

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
from library.circulation.selectors.daily_counts import SoFar, so_far_today
from library.circulation.selectors.holds import holds_not_fetched
from library.circulation.selectors.overdue import is_overdue

_VERY_LATE = 30
"""Days, from which on a loan seldom comes back by itself."""
_TODAY = {
    LoanEvent.Kind.CHECKOUT: gettext_lazy("checkouts"),
    LoanEvent.Kind.CHECKIN: gettext_lazy("checkins"),
    LoanEvent.Kind.RENEWAL: gettext_lazy("renewals"),
    LoanEvent.Kind.HOLD_PLACED: gettext_lazy("holds placed"),
}


def circulation_tiles(*, user: AbstractBaseUser | AnonymousUser, now: datetime) -> list[Tile]:
    """Return the tiles that a person may see; each takes one query or two."""
    tiles: list[Tile] = []
    may: Any = user
    if may.has_perm("circulation.view_loan"):
        tiles.append(_today(now))
    if may.has_perm("circulation.view_overdueloan"):
        tiles.append(_overdue(now))
    if may.has_perm("circulation.view_hold"):
        tiles.append(_holds(now))
    return tiles


def _today(now: datetime) -> Tile:
    found = so_far_today(kinds=tuple(_TODAY), now=now)
    lent = found[LoanEvent.Kind.CHECKOUT]
    return Tile(
        title=_("Checkouts today"),
        icon="sync_alt",
        value=_number(lent.today),
        url=reverse("admin:circulation_loan_changelist"),
        lines=[labelled(words, _beside(found[kind])) for kind, words in _TODAY.items()],
        more=[
            (_("Checkout"), reverse("admin:circulation_loan_checkout")),
            (_("Checkin"), reverse("admin:circulation_loan_checkin")),
        ],
    )


def _beside(so_far: SoFar) -> str:
    """Return a count beside what is usual on this weekday."""
    if so_far.usual is None or so_far.whole_day is None:
        return _number(so_far.today)
    facts = {
        "today": _number(so_far.today),
        "usual": _number(so_far.usual),
        "day": _number(so_far.whole_day),
    }
    return _("%(today)s (usual on this weekday: %(usual)s by now, %(day)s all day)") % facts


def _overdue(now: datetime) -> Tile:
    late = Loan.objects.filter(is_overdue(now=now)).count()
    very = Loan.objects.filter(is_overdue(now=now, days=_VERY_LATE)).count() if late else 0
    address = reverse("admin:circulation_overdueloan_changelist")
    return Tile(
        title=_("Overdue"),
        icon="schedule",
        value=_number(late),
        url=address,
        lines=[_("%(days)s days or more: %(loans)s") % {"days": _VERY_LATE, "loans": _number(very)}]
        if very
        else [],
        tone="todo" if late else "calm",
    )


def _holds(now: datetime) -> Tile:
    ready = Hold.objects.filter(status=Hold.Status.READY).count()
    over = holds_not_fetched(now=now).count() if ready else 0
    return Tile(
        title=_("On the hold shelf"),
        icon="inventory_2",
        value=_number(ready),
        url=reverse("admin:circulation_hold_changelist") + f"?status__exact={Hold.Status.READY}",
        lines=[_("not fetched in time: %s") % _number(over)] if over else [],
        tone="todo" if over else "calm",
    )


def _number(value: float) -> str:
    return number_format(value, decimal_pos=None if value == int(value) else 1, force_grouping=True)
