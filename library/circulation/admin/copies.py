"""Copy admin with the actions of circulation."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from library.catalogue.admin import CopyAdmin
from library.catalogue.models import Copy
from library.circulation.admin.reporting import per_row_action
from library.circulation.services import lost


class CopyWithCirculationAdmin(CopyAdmin):
    """Replaces the admin of `library.catalogue`, which does not know circulation."""

    actions = [
        per_row_action(
            "mark_lost",
            description=_("Mark selected copies as lost"),
            act=lambda copy, now: lost.mark_lost(copy=copy, now=now),
        ),
        per_row_action(
            "mark_found",
            description=_("Mark selected copies as found at their home branch"),
            act=lambda copy, now: lost.mark_found(copy=copy, branch=copy.branch, now=now),
        ),
        per_row_action(
            "withdraw",
            description=_("Withdraw selected copies"),
            act=lambda copy, now: lost.withdraw(copy=copy, now=now),
        ),
        per_row_action(
            "reinstate",
            description=_("Reinstate selected copies"),
            act=lambda copy, now: lost.reinstate(copy=copy, now=now),
        ),
    ]


admin.site.unregister(Copy)
admin.site.register(Copy, CopyWithCirculationAdmin)
