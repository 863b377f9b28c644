"""Write borrowers and their search terms, always in one transaction."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import CASCADE

from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.db import KEYS_PER_QUERY, batches
from library.people.encryption.blind_index import search_terms
from library.people.models import Borrower, BorrowerTerm
from library.people.selectors import borrower_ids


@transaction.atomic
def save_borrower(*, borrower: Borrower) -> None:
    """Save a new or changed borrower and its search terms."""
    # The row first: its lock makes a second edit of the borrower wait, so the terms match the last one.
    borrower.save()
    index_borrower(borrower=borrower)
    if borrower.excluded_from_statistics:
        delete_derived(borrowers=[borrower.pk])


def delete_derived(*, borrowers: Collection[int]) -> None:
    """Delete rows that were derived from borrowers' loans and name titles, such as recommendations.

    The models belong to apps above this one, so they are found by their relations: they cascade with the
    borrower and refer to a book. Models that borrowers fill in themselves set ``entered_by_borrower`` and are
    kept.

    Parameters
    ----------
    borrowers
        Primary keys.
    """
    for relation in Borrower._meta.related_objects:
        model = relation.related_model
        names_titles = any(field.related_model is Book for field in model._meta.fields)
        if (
            relation.on_delete is CASCADE
            and names_titles
            and not getattr(model, "entered_by_borrower", False)
        ):
            model._default_manager.filter(**{f"{relation.field.name}__in": borrowers}).delete()


def index_borrower(*, borrower: Borrower) -> None:
    """Update the search terms of a saved borrower. Call it in the transaction that saved the borrower."""
    terms = _terms(borrower)
    stored = {(term.kind, term.digest): term.pk for term in borrower.terms.all()}
    obsolete = [pk for term, pk in stored.items() if term not in terms]
    if obsolete:
        BorrowerTerm.objects.filter(pk__in=obsolete).delete()
    _add_terms({borrower.pk: terms - stored.keys()})


def index_borrowers(*, pks: Collection[int], progress: Progress = no_progress) -> int:
    """Rewrite the search terms of many borrowers, after a bulk write or with a new index key.

    Parameters
    ----------
    pks
        Primary keys; unknown ones are skipped.

    Returns
    -------
    int
        The number of borrowers indexed.
    """
    done = 0
    for batch in batches(sorted(pks), KEYS_PER_QUERY):
        with transaction.atomic():
            borrowers = list(Borrower.objects.select_for_update().filter(pk__in=batch).order_by("pk"))
            BorrowerTerm.objects.filter(borrower__in=batch).delete()
            _add_terms({borrower.pk: _terms(borrower) for borrower in borrowers})
        done += len(borrowers)
        progress("indexing borrowers", done, len(pks))
    return done


@transaction.atomic
def ensure_borrowers(*, card_numbers: Collection[str]) -> tuple[dict[str, int], int]:
    """Create the missing borrowers, with nothing but their card number.

    Returns
    -------
    dict
        The primary keys of all the borrowers by card number.
    int
        The number created.
    """
    missing = sorted(set(card_numbers) - borrower_ids(card_numbers=card_numbers).keys())
    # Another import may create the same borrowers at the same time.
    Borrower.objects.bulk_create([Borrower(card_number=number) for number in missing], ignore_conflicts=True)
    ids = borrower_ids(card_numbers=card_numbers)
    _add_terms({ids[number]: search_terms(card_number=number) for number in missing})
    return ids, len(missing)


def _terms(borrower: Borrower) -> set[tuple[str, str]]:
    return search_terms(
        card_number=borrower.card_number, name=borrower.name, email=borrower.email, phone=borrower.phone
    )


def _add_terms(terms: dict[int, set[tuple[str, str]]]) -> None:
    # Sorted, so that two imports of the same borrowers wait for each other instead of deadlocking.
    rows = [
        BorrowerTerm(borrower_id=pk, kind=kind, digest=digest)
        for pk in sorted(terms)
        for kind, digest in sorted(terms[pk])
    ]
    BorrowerTerm.objects.bulk_create(rows, ignore_conflicts=True)
