"""What a librarian says of a book that is possibly misfiled."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from classifier.models import Misfiled
from classifier.services.review.verdicts import refile
from library.catalogue.models import Book
from library.errors import ConflictError


class MisfiledSettledError(ConflictError):
    """The book is filed otherwise than when it was listed."""


@transaction.atomic
def dismiss(*, misfiled: Misfiled, now: datetime, user: User | None = None) -> None:
    """Remember that a book is filed rightly, and list it no more as long as it is filed there.

    Parameters
    ----------
    misfiled : Misfiled
    now : datetime
    user : user, optional
        Who says so.

    Raises
    ------
    MisfiledSettledError
        If the book is filed otherwise by now, or somebody was quicker.
    """
    locked = _locked(misfiled)
    locked.dismissed_at, locked.dismissed_by = now, user
    locked.save(update_fields=["dismissed_at", "dismissed_by"])


@transaction.atomic
def move(*, misfiled: Misfiled, reviewer: User, now: datetime) -> Book:
    """File a book where the model says, as the librarian's own decision; a review that can be undone.

    Parameters
    ----------
    misfiled : Misfiled
    reviewer : User
    now : datetime

    Returns
    -------
    Book
        As saved.

    Raises
    ------
    MisfiledSettledError
        If the book is filed otherwise by now, or somebody was quicker.
    """
    locked = _locked(misfiled)
    Misfiled.objects.filter(pk=locked.pk).delete()
    return refile(
        book=locked.book,
        category=locked.category,
        probability=locked.probability,
        model_version=locked.model_version,
        reviewer=reviewer,
        now=now,
    )


def _locked(misfiled: Misfiled) -> Misfiled:
    open_ones = Misfiled.objects.filter(dismissed_at=None, pk=misfiled.pk, filed=F("book__category"))
    locked = (
        open_ones.select_for_update(of=("self",)).select_related("book", "category", "model_version").first()
    )
    if locked is None:
        raise MisfiledSettledError(_("This book was settled meanwhile. Reload the page."))
    return locked
