"""What circulation does with copies, beside what the catalogue knows of them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from library.catalogue.admin import CopyAdmin
from library.catalogue.models import Copy
from library.circulation.admin.reporting import act_on_each
from library.circulation.services import lost


class CopyWithCirculationAdmin(CopyAdmin):
    """Registered in place of the catalogue's, which knows nothing of circulation."""

    actions = ["mark_lost", "mark_found", "withdraw", "reinstate"]

    @admin.action(permissions=["change"], description=_("Mark as lost"))
    def mark_lost(self, request: HttpRequest, queryset: QuerySet[Copy]) -> None:
        act_on_each(
            model_admin=self,
            request=request,
            rows=queryset,
            act=lambda copy: lost.mark_lost(copy=copy, now=timezone.now()),
            log="mark_lost",
        )

    @admin.action(permissions=["change"], description=_("Mark as found, where it belongs"))
    def mark_found(self, request: HttpRequest, queryset: QuerySet[Copy]) -> None:
        act_on_each(
            model_admin=self,
            request=request,
            rows=queryset,
            act=lambda copy: lost.mark_found(copy=copy, branch=copy.branch, now=timezone.now()),
            log="mark_found",
        )

    @admin.action(permissions=["change"], description=_("Withdraw"))
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Copy]) -> None:
        act_on_each(
            model_admin=self,
            request=request,
            rows=queryset,
            act=lambda copy: lost.withdraw(copy=copy, now=timezone.now()),
            log="withdraw",
        )

    @admin.action(permissions=["change"], description=_("Reinstate"))
    def reinstate(self, request: HttpRequest, queryset: QuerySet[Copy]) -> None:
        act_on_each(
            model_admin=self,
            request=request,
            rows=queryset,
            act=lambda copy: lost.reinstate(copy=copy, now=timezone.now()),
            log="reinstate",
        )


admin.site.unregister(Copy)
admin.site.register(Copy, CopyWithCirculationAdmin)
