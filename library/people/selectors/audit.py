"""Queries on the audit log."""

from django.db.models import QuerySet

from library.people.models import AuditedRecord, AuditEntry


def entries_for_record(
    *, object_key: str, entries: QuerySet[AuditEntry] | None = None
) -> QuerySet[AuditEntry]:
    """Return the entries about a record, alone or in a list, newest first.

    Parameters
    ----------
    object_key
        The primary key; narrow `entries` by ``object_type`` if keys of several kinds would mix.
    entries
        The entries to choose from; None: all.
    """
    if entries is None:
        entries = AuditEntry.objects.all()
    # A union, because with OR PostgreSQL would read the whole log.
    about = AuditEntry.objects.filter(object_key=object_key).order_by().values("pk")
    listed = AuditedRecord.objects.filter(key=object_key).order_by().values("entry")
    return entries.filter(pk__in=about.union(listed))
