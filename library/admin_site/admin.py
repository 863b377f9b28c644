"""Admin of third-party models in the style of the site.

Unfold styles only models registered with its own `ModelAdmin`; these packages register with Django's.
"""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.utils.translation import pgettext_lazy
from django_celery_beat.admin import PeriodicTaskAdmin, PeriodicTaskForm
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES


class StyledUserAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


class StyledGroupAdmin(GroupAdmin, ModelAdmin):
    pass


class StyledTaskForm(PeriodicTaskForm):
    """Style the two fields that the form declares itself, which Unfold's overrides do not reach."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget.attrs["class"] = " ".join(SELECT_CLASSES)
        self.fields["task"].widget.attrs["class"] = " ".join(INPUT_CLASSES)


class StyledTaskAdmin(PeriodicTaskAdmin, ModelAdmin):
    form = StyledTaskForm
    # The package's template has an inline script, a convenience that the content security policy forbids.
    change_form_template = None


def styled_admin(model: type) -> type[ModelAdmin]:
    """Return the admin class registered for `model`, styled by Unfold."""
    registered: type = type(admin.site.get_model_admin(model))
    return type(registered.__name__, (registered, ModelAdmin), {})


styled = {User: StyledUserAdmin, Group: StyledGroupAdmin, PeriodicTask: StyledTaskAdmin} | {
    model: styled_admin(model)
    for model in (
        AccessAttempt,
        IntervalSchedule,
        CrontabSchedule,
        ClockedSchedule,
        SolarSchedule,
    )
}
for model, model_admin in styled.items():
    admin.site.unregister(model)
    admin.site.register(model, model_admin)

# Unused: sign-ins are in the audit log, and failures in AccessAttempt.
for unused in (AccessLog, AccessFailureLog):
    admin.site.unregister(unused)

# With a context, because Django's date filters have a choice of the same name.
admin.site.index_title = pgettext_lazy("start page", "Today")
