"""API tokens in the admin: create, list and revoke. The secret is shown once."""

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

from library.rest.auth.tokens import MAX_DAYS, issue_token
from library.rest.models import ApiToken
from library.rest.scopes import Scope


class TokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("What the token gives access to, within the permissions of its user."),
    )
    days = forms.IntegerField(
        label=_("valid for (days)"),
        min_value=1,
        max_value=MAX_DAYS,
        initial=settings.API_TOKEN_DAYS,
        widget=forms.NumberInput(attrs={"class": " ".join(INPUT_CLASSES)}),
        help_text=_("Number of days until the token expires."),
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
        token, secret = issue_token(**form.cleaned_data, now=timezone.now())
        token.secret = secret  # type: ignore[attr-defined]  # for the response only
        return token

    def save_model(self, request: HttpRequest, obj: ApiToken, form: ModelForm, change: bool) -> None:
        """Save nothing: `issue_token` has saved the token."""

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        """Save nothing: a token has no related rows."""

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret in this response: a message would store it in a cookie."""
        context = self.admin_site.each_context(request) | {
            "title": obj.name,
            "secret": obj.secret,
            "expires_at": obj.expires_at,
        }
        return TemplateResponse(request, "rest/token.html", context)
