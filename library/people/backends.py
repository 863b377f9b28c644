"""Password sign-in with an audit entry for each attempt."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from library.people.models import AuditEntry
from library.people.services.audit import write_entry


class AuditedBackend(ModelBackend):
    """Django's password check, with an entry in the audit log for success and for failure.

    A backend, because the admin and the API's token endpoint both pass through it. Unknown user names are not
    logged: people type their password, or a borrower's card number, into the wrong field.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        user = super().authenticate(request, username=username, password=password, **kwargs)
        account = user or User.objects.filter(username=username or "").first()
        write_entry(
            user=account,
            action=AuditEntry.Action.LOGIN if user else AuditEntry.Action.REFUSED,
            path=request.path if request else "",
            now=timezone.now(),
            model=User,
            object_key=account.pk if account else "",
        )
        return user
