"""Signing in with a password, written down."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from library.people.models import AuditEntry
from library.people.services.audit import write_entry


class AuditedBackend(ModelBackend):
    """Django's own check of a name and a password, with an entry in the audit log for either outcome.

    Here, since the admin, the API's token and whatever comes later all pass. A name that belongs to nobody
    is not written down: people type their password, or a reader's card, into the wrong field.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        user = super().authenticate(request, username=username, password=password, **kwargs)
        named = user or User.objects.filter(username=username or "").first()
        write_entry(
            user=named,
            action=AuditEntry.Action.LOGIN if user else AuditEntry.Action.REFUSED,
            path=request.path if request else "",
            now=timezone.now(),
            model=User,
            object_key=named.pk if named else "",
        )
        return user
