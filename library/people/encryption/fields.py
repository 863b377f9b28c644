"""A model field with plain text in Python and ciphertext in the database."""

from typing import Any

from django.db import models
from django.db.models.expressions import ExpressionWrapper, F
from django.db.models.lookups import Exact, IsNull
from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.people.encryption.keys import UnreadableTokenError, key_ring


class EncryptedLookupError(LibraryError):
    """A query with a lookup that an encrypted field does not support."""


class UnreadableValueError(LibraryError):
    """A value in the database that no key decrypts."""


def ciphertext(name: str) -> ExpressionWrapper:
    """Return the expression for the ciphertext of an encrypted field."""
    return ExpressionWrapper(F(name), output_field=models.TextField())


class EncryptedTextField(models.CharField):
    """Text under authenticated encryption; ``max_length`` is that of the plain text.

    An empty string stays empty, so that queries can find blank values. Every write encrypts with a fresh
    random vector, so equal values have different ciphertexts and cannot be compared: ``isnull`` and
    ``exact=""`` are the only lookups.
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
                "The encrypted field %(field)s does not support the %(lookup)s lookup. Use "
                'search_borrowers; the field supports only isnull and exact="".'
            )
            % {"field": self.name, "lookup": lookup_name},
            field=self.name,
            lookup=lookup_name,
        )

    def _unreadable(self, token: str, database: str) -> UnreadableValueError:
        # No two ciphertexts are equal, so this one identifies its row.
        rows = self.model._base_manager.using(database).annotate(_ciphertext=ciphertext(self.name))
        pk = rows.filter(_ciphertext=token).values_list("pk", flat=True).first()
        return UnreadableValueError(
            _(
                "Cannot decrypt %(field)s of %(model)s %(pk)s: the key is missing from "
                "BORROWER_KEYS, or the stored value was changed or damaged. Restore the key, or "
                "restore this row from a backup."
            )
            % {"field": self.name, "model": self.model._meta.label_lower, "pk": pk},
            model=self.model._meta.label_lower,
            pk=pk,
            field=self.name,
        )


class _Empty(Exact):
    """``exact`` for the empty string only."""

    def get_prep_lookup(self) -> Any:
        if self.rhs != "":
            raise self.lhs.output_field._refused("exact")
        return self.rhs
