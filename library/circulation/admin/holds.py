"""Hold admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from library.catalogue.admin.lookup import LookupAdmin
from library.circulation.admin.reporting import SEARCH_HELP, borrower_card, per_row_action
from library.circulation.models import Hold
from library.circulation.selectors.lookup import HOLDS_FOUND_BY
from library.circulation.services.holds import (
    cancel_hold,
    expire_hold,
    place_hold,
    resume_hold,
    suspend_hold,
)
from library.errors import LibraryError
from library.people.admin.audit import AuditedAdmin
from library.people.selectors import without_personal_data


class PlaceHoldForm(forms.ModelForm):
    class Meta:
        model = Hold
        fields = ["book", "borrower", "pickup_branch"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            # Placed and rolled back, so that a refusal is shown in the form; saving the form places the hold.
            try:
                with transaction.atomic():
                    self.place(now=timezone.now())
                    transaction.set_rollback(True)
            except LibraryError as error:
                raise forms.ValidationError(error.message) from error
        return cleaned

    def place(self, *, now: Any) -> Hold:
        return place_hold(**self.cleaned_data, now=now)


@admin.register(Hold)
class HoldAdmin(LookupAdmin, AuditedAdmin):
    list_display = [
        "book",
        "position",
        borrower_card,
        "pickup_branch",
        "state",
        "copy",
        "placed_at",
        "ready_at",
    ]
    list_filter = ["status", "pickup_branch", ("borrower", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    lookups = HOLDS_FOUND_BY
    search_help_text = SEARCH_HELP
    autocomplete_fields = ["book", "borrower", "pickup_branch"]
    actions = [
        per_row_action(
            "cancel",
            description=_("Cancel selected holds"),
            act=lambda hold, now: cancel_hold(hold=hold, now=now),
        ),
        per_row_action(
            "suspend",
            description=_("Suspend selected holds"),
            act=lambda hold, now: suspend_hold(hold=hold, until=None, now=now),
        ),
        per_row_action(
            "resume",
            description=_("Resume selected holds"),
            act=lambda hold, now: resume_hold(hold=hold, now=now),
        ),
        per_row_action(
            "expire",
            description=_("Expire unclaimed holds"),
            act=lambda hold, now: expire_hold(hold=hold, now=now),
        ),
    ]
    form = PlaceHoldForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hold]:
        return without_personal_data(
            super().get_queryset(request).select_related("book", "pickup_branch", "copy")
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            return ["book", "borrower", "pickup_branch"]
        names = [field.name for field in Hold._meta.fields if field.name != "id"]
        return [borrower_card if name == "borrower" else name for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [] if obj is None else self.get_fields(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Hold, form: forms.ModelForm, change: bool) -> None:
        if isinstance(form, PlaceHoldForm):
            # The admin continues with this object: it becomes the placed hold.
            obj.__dict__.update(form.place(now=timezone.now()).__dict__)

    @display(
        description=_("status"),
        ordering="status",
        # Name every status: for others, the theme would show the database value.
        label={
            "waiting": "info", "ready": "success", "suspended": "warning",
            "cancelled": None, "fulfilled": None, "expired": None,
        },
    )  # fmt: skip
    def state(self, hold: Hold) -> tuple[str, str]:
        return hold.status, hold.get_status_display()
