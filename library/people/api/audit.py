"""View sets that write an audit entry for each request for personal data."""

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
    """Audit reads. List it before the mixins that do the reading.

    A response is sent only once its entry is written, a long CSV file chunk by chunk. Reads run outside a
    transaction: on SQLite it would block all other writers.
    """

    def serialize_rows(self, records: Iterable[Any]) -> Sequence[dict[str, Any]]:
        rows: Sequence[dict[str, Any]] = super().serialize_rows(records)  # type: ignore[misc]
        self.audit(Action.SEARCHED, listed=[row["id"] for row in rows])
        return rows

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().retrieve(request, *args, **kwargs)  # type: ignore[misc]
        self.audit(Action.VIEWED, object_key=response.data["id"])
        return response

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        # Signed-in users only: anonymous attempts identify nobody, and anyone could fill the log.
        if request.user.is_authenticated:
            self.audit(Action.REFUSED, object_key=self.kwargs.get("pk", ""))
        super().permission_denied(request, message=message, code=code)

    def changed_response(self, record: Any, *, status: int = 200) -> Response:
        """Audit the change of a record and return the record."""
        self.audit(Action.CHANGED, object_key=record.pk)
        return Response(self.get_serializer(record).data, status=status)

    def audit(self, action: AuditEntry.Action, *, object_key: object = "", listed: Any = ()) -> None:
        """Write an entry about this request. Subclasses call it for their own actions."""
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
    """Audit reads and writes. List it before `RecordViewSet`; a change and its entry are one transaction."""

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
