"""A model field that is plain text in Python and ciphertext in the database."""

from typing import Any

from django.db import models
from django.db.models.expressions import ExpressionWrapper, F
from django.db.models.lookups import Exact, IsNull
from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.people.encryption.keys import UnreadableTokenError, key_ring


class EncryptedLookupError(LibraryError):
    """A query that looks into an encrypted field."""


class UnreadableValueError(LibraryError):
    """A value in the database that no key opens."""


def stored(name: str) -> ExpressionWrapper:
    """Return the expression for what the database holds of an encrypted field: the ciphertext."""
    return ExpressionWrapper(F(name), output_field=models.TextField())


class EncryptedTextField(models.CharField):
    """Text under authenticated encryption; ``max_length`` is that of the plain text.

    An empty string stays empty, so that the database can say what is not filled in. Every other value is
    encrypted anew with each write, so equal values look different and nothing can be compared:
    ``isnull`` and ``exact=""`` are the only lookups.
    """

    def get_internal_type(self) -> str:
        return "TextField"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        if not value:
            return value
        try:
            return key_ring().decrypt(value)
        except UnreadableTokenError as error:
            raise self._unreadable(value, connection.alias) from error

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        value = super().get_db_prep_save(value, connection)
        return key_ring().encrypt(value) if isinstance(value, str) and value else value

    def get_lookup(self, lookup_name: str) -> type[models.Lookup]:
        if lookup_name == "isnull":
            return IsNull
        if lookup_name == "exact":
            return _Empty
        raise self._refused(lookup_name)

    def get_transform(self, lookup_name: str) -> type[models.Transform]:
        raise self._refused(lookup_name)

    def _refused(self, lookup_name: str) -> EncryptedLookupError:
        return EncryptedLookupError(
            _(
                "%(field)s is encrypted and cannot be asked for %(lookup)s. Search with search_borrowers; "
                'only isnull and exact="" can be asked of the field.'
            )
            % {"field": self.name, "lookup": lookup_name},
            field=self.name,
            lookup=lookup_name,
        )

    def _unreadable(self, token: str, database: str) -> UnreadableValueError:
        # No two ciphertexts are the same, so this one finds its row.
        rows = self.model._base_manager.using(database).annotate(_stored=stored(self.name))
        pk = rows.filter(_stored=token).values_list("pk", flat=True).first()
        return UnreadableValueError(
            _(
                "%(field)s of %(model)s %(pk)s cannot be decrypted: either the key that wrote it is missing "
                "from BORROWER_KEYS, or the value was changed or damaged in the database. Put the key back, "
                "or restore this row from a backup."
            )
            % {"field": self.name, "model": self.model._meta.label_lower, "pk": pk},
            model=self.model._meta.label_lower,
            pk=pk,
            field=self.name,
        )


class _Empty(Exact):
    """``exact``, for the empty string alone."""

    def get_prep_lookup(self) -> Any:
        if self.rhs != "":
            raise self.lhs.output_field._refused("exact")
        return self.rhs
