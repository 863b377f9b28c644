"""Librarians' decisions on possibly misfiled books."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from classifier.models import Misfiled
from classifier.services.review.verdicts import reassign
from library.catalogue.models import Book
from library.errors import ConflictError


class NotListedError(ConflictError):
    """The book is no longer listed, or is filed elsewhere than when it was listed."""


@transaction.atomic
def dismiss(*, misfiled: Misfiled, now: datetime, user: User | None = None) -> None:
    """Confirm the category of a book, which is then not listed again while it is filed there.

    Raises
    ------
    NotListedError
        If the book has been filed elsewhere, or another person was faster.
    """
    locked = _locked(misfiled)
    locked.dismissed_at, locked.dismissed_by = now, user
    locked.save(update_fields=["dismissed_at", "dismissed_by"])


@transaction.atomic
def move(*, misfiled: Misfiled, reviewer: User, now: datetime) -> Book:
    """File a book under the predicted category, a review that can be undone; errors as for `dismiss`."""
    locked = _locked(misfiled)
    Misfiled.objects.filter(pk=locked.pk).delete()
    return reassign(
        book=locked.book,
        category=locked.category,
        probability=locked.probability,
        model_version=locked.model_version,
        reviewer=reviewer,
        now=now,
    )


def _locked(misfiled: Misfiled) -> Misfiled:
    listed = Misfiled.objects.filter(dismissed_at=None, pk=misfiled.pk, filed=F("book__category"))
    locked = (
        listed.select_for_update(of=("self",)).select_related("book", "category", "model_version").first()
    )
    if locked is None:
        raise NotListedError(_("This book is no longer listed as a possible misfile. Reload the page."))
    return locked
