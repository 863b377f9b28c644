"""Tokens in the admin: made, listed, revoked; the token itself is seen once."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import INPUT_CLASSES, UnfoldAdminCheckboxSelectMultipleWidget

from library.rest.auth.tokens import MOST_DAYS, issue_token
from library.rest.models import ApiToken
from library.rest.scopes import Scope


class TokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("What the token may be used for, as far as its user may."),
    )
    days = forms.IntegerField(
        label=_("days"),
        min_value=1,
        max_value=MOST_DAYS,
        initial=settings.API_TOKEN_DAYS,
        widget=forms.NumberInput(attrs={"class": " ".join(INPUT_CLASSES)}),
        help_text=_("How long it is good for."),
    )

    class Meta:
        model = ApiToken
        fields = ["user", "name"]


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    list_display = ["name", "user", "prefix", "scope_names", "created_at", "expires_at", "last_used_at"]
    list_per_page = 50
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__username"]
    autocomplete_fields = ["user"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs | ({} if change else {"form": TokenForm}))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["user", "name", "scopes", "days"]
        return ["user", "name", "prefix", "scope_names", "created_at", "expires_at", "last_used_at"]

    @admin.display(description=_("scopes"))
    def scope_names(self, token: ApiToken) -> str:
        return token.scope_names

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_form(self, request: HttpRequest, form: ModelForm, change: bool) -> Any:
        given = form.cleaned_data
        row, token = issue_token(**given, now=timezone.now())
        row.token = token  # type: ignore[attr-defined]  # for the answer alone
        return row

    def save_model(self, request: HttpRequest, obj: ApiToken, form: ModelForm, change: bool) -> None:
        """Save nothing more: issuing it did."""

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        """Save nothing: a token has no rows of its own."""

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the token in this answer: a message would carry it on in a cookie."""
        context = self.admin_site.each_context(request) | {"title": obj.name, "token": obj.token, "row": obj}
        return TemplateResponse(request, "rest/token.html", context)
