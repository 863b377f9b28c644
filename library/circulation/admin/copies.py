"""What circulation does with copies, beside what the catalogue knows of them."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from library.catalogue.admin import CopyAdmin
from library.catalogue.models import Copy
from library.circulation.admin.reporting import action_on_each
from library.circulation.services import lost


class CopyWithCirculationAdmin(CopyAdmin):
    """Registered in place of the catalogue's, which knows nothing of circulation."""

    actions = [
        action_on_each(
            "mark_lost",
            description=_("Mark as lost"),
            act=lambda copy, now: lost.mark_lost(copy=copy, now=now),
        ),
        action_on_each(
            "mark_found",
            description=_("Mark as found, where it belongs"),
            act=lambda copy, now: lost.mark_found(copy=copy, branch=copy.branch, now=now),
        ),
        action_on_each(
            "withdraw", description=_("Withdraw"), act=lambda copy, now: lost.withdraw(copy=copy, now=now)
        ),
        action_on_each(
            "reinstate", description=_("Reinstate"), act=lambda copy, now: lost.reinstate(copy=copy, now=now)
        ),
    ]


admin.site.unregister(Copy)
admin.site.register(Copy, CopyWithCirculationAdmin)
