"""The admin of other packages' models, in the look of ours.

Unfold draws only what is registered with its own `ModelAdmin`; the packages below register with Django's.
"""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
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


class DeskUserAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


class DeskGroupAdmin(GroupAdmin, ModelAdmin):
    pass


class DeskTaskForm(PeriodicTaskForm):
    """The two fields that the form declares itself, where Unfold's overrides do not reach."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget.attrs["class"] = " ".join(SELECT_CLASSES)
        self.fields["task"].widget.attrs["class"] = " ".join(INPUT_CLASSES)


class DeskTaskAdmin(PeriodicTaskAdmin, ModelAdmin):
    form = DeskTaskForm
    # Its own has a script within the page, which the content security policy forbids: a comfort only.
    change_form_template = None


def in_our_look(model: type) -> type[ModelAdmin]:
    """Return the admin class registered for `model`, drawn by Unfold."""
    registered: type = type(admin.site.get_model_admin(model))
    return type(registered.__name__, (registered, ModelAdmin), {})


restyled = {User: DeskUserAdmin, Group: DeskGroupAdmin, PeriodicTask: DeskTaskAdmin} | {
    model: in_our_look(model)
    for model in (
        AccessAttempt,
        IntervalSchedule,
        CrontabSchedule,
        ClockedSchedule,
        SolarSchedule,
    )
}
for model, model_admin in restyled.items():
    admin.site.unregister(model)
    admin.site.register(model, model_admin)

# Empty: signing in is written to the audit log, and failures count in AccessAttempt.
for unused in (AccessLog, AccessFailureLog):
    admin.site.unregister(unused)
