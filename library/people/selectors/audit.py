"""Reads of the audit log."""

from django.db.models import Q, QuerySet

from library.people.models import AuditEntry


def entries_about(*, object_key: str, entries: QuerySet[AuditEntry] | None = None) -> QuerySet[AuditEntry]:
    """Return the entries that name a record, alone or in a list.

    Parameters
    ----------
    object_key : str
        The primary key; narrow by ``object_type`` where keys of several kinds would mix.
    entries : QuerySet, optional
        Those to choose from; left out, all.

    Returns
    -------
    QuerySet
        The latest first.
    """
    found = AuditEntry.objects.all() if entries is None else entries
    return found.filter(Q(object_key=object_key) | Q(listed__contains=f" {object_key} "))
