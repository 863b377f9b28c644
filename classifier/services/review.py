"""A librarian's judgement of what the model suggests."""

from django.db import transaction
from django.utils.translation import gettext as _

from classifier.models import Suggestion
from library.catalogue.models import Book, Category
from library.catalogue.services import librarian_source
from library.errors import LibraryError


class SuggestionReplacedError(LibraryError):
    """The suggestion is gone: the book was classified again after the page was shown."""

    def __init__(self, *, suggestion: object) -> None:
        super().__init__(
            _("This suggestion was replaced by a newer one. Reload the page and choose again."),
            suggestion=suggestion,
        )


def accept_suggestion(*, suggestion: Suggestion) -> Book:
    """File a book under the category suggested for it, as the librarian's own decision.

    Parameters
    ----------
    suggestion : Suggestion
        The one to accept.

    Returns
    -------
    Book
        The book as saved; ``category_source`` is ``librarian``.

    Raises
    ------
    SuggestionReplacedError
        If classifying again has replaced the suggestion meanwhile.
    """
    with transaction.atomic():
        # Locked, so that a run that replaces the suggestions waits until this one is judged.
        current = (
            Suggestion.objects.select_for_update(of=("self",))
            .select_related("book", "category")
            .filter(pk=suggestion.pk)
            .first()
        )
        if current is None:
            raise SuggestionReplacedError(suggestion=suggestion.pk)
        return correct_category(book=current.book, category=current.category)


def correct_category(*, book: Book, category: Category | None) -> Book:
    """File a book under the category a librarian chose, or clear it.

    Parameters
    ----------
    book : Book
        The book; its other fields are left as they are in the database.
    category : Category or None
        The category chosen; None clears it, and the model may suggest again.

    Returns
    -------
    Book
        The book as saved.
    """
    with transaction.atomic():
        locked = Book.objects.select_for_update().get(pk=book.pk)
        locked.category = category
        locked.category_source = librarian_source(category=category)
        locked.save()
    return locked
