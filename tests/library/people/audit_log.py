"""Read and write entries of the audit log."""

from library.people.models import AuditEntry, Borrower
from library.people.services.audit import write_entry
from tests.factories import NOW


def entries():
    """Return the entries without the users and times; the keys of records listed are separated by spaces."""
    return [
        (entry.action, entry.object_type, entry.object_key, " ".join(entry.record_keys))
        for entry in AuditEntry.objects.order_by("pk")
    ]


def anonymous_entry(**fields):
    return write_entry(
        **{"user": None, "action": AuditEntry.Action.VIEWED, "path": "/", "now": NOW, "model": Borrower}
        | fields
    )
