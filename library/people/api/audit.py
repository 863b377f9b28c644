"""What an endpoint of personal data does beside answering: write down who asked."""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from django.db import transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from library.people.models import AuditEntry
from library.people.services.audit import write_entry

Action = AuditEntry.Action


class AuditedViewSet(GenericViewSet):
    """Comes before the mixins that do the reading.

    An answer is sent only when its entry is written, a long table part by part. Reading takes no transaction:
    on SQLite it would lock out every other writer meanwhile.
    """

    def told(self, records: Iterable[Any]) -> Sequence[dict[str, Any]]:
        rows: Sequence[dict[str, Any]] = super().told(records)  # type: ignore[misc]
        self.audit(Action.SEARCHED, listed=[row["id"] for row in rows])
        return rows

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().retrieve(request, *args, **kwargs)  # type: ignore[misc]
        self.audit(Action.VIEWED, object_key=response.data["id"])
        return response

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        # The signed-in only: strangers' attempts say nothing of a person, and anyone could fill the log.
        if request.user.is_authenticated:
            self.audit(Action.REFUSED, object_key=self.kwargs.get("pk", ""))
        super().permission_denied(request, message=message, code=code)

    def audit(self, action: AuditEntry.Action, *, object_key: object = "", listed: Any = ()) -> None:
        """Write an entry about this request; for actions of a subclass's own."""
        write_entry(
            user=self.request.user,
            action=action,
            path=self.request.path,
            now=timezone.now(),
            model=self.get_queryset().model,
            object_key=object_key,
            listed=listed,
        )


class AuditedRecordViewSet(AuditedViewSet):
    """The same before `RecordViewSet`, which writes too.

    Changes and their entries are one transaction.
    """

    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().create(request, *args, **kwargs)  # type: ignore[misc]
        self.audit(Action.CHANGED, object_key=response.data["id"])
        return response

    @transaction.atomic
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().update(request, *args, **kwargs)  # type: ignore[misc]
        self.audit(Action.CHANGED, object_key=response.data["id"])
        return response
