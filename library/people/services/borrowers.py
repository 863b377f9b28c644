"""Writes to the borrowers: whoever writes one writes what it is found by in the same transaction."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import CASCADE

from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, batches
from library.people.encryption.blind_index import terms_of
from library.people.models import Borrower, BorrowerTerm
from library.people.selectors import borrower_ids


@transaction.atomic
def save_borrower(*, borrower: Borrower) -> None:
    """Save a borrower, new or changed, and what it is found by."""
    # First the row: it makes a second edit of the same borrower wait, so the terms are those of the last.
    borrower.save()
    index_borrower(borrower=borrower)
    if borrower.left_out:
        delete_derived(borrowers=[borrower.pk])


def delete_derived(*, borrowers: Collection[int]) -> None:
    """Delete what was worked out from the loans of borrowers and tells titles, such as recommendations.

    What works it out stands above people, so it is found by its relations: whatever goes with the borrower
    and tells of a book. A model of what borrowers said themselves has ``said_by_borrower`` and stays.

    Parameters
    ----------
    borrowers : collection of int
        Primary keys.
    """
    for relation in Borrower._meta.related_objects:
        model = relation.related_model
        tells_titles = any(field.related_model is Book for field in model._meta.fields)
        if relation.on_delete is CASCADE and tells_titles and not getattr(model, "said_by_borrower", False):
            model._default_manager.filter(**{f"{relation.field.name}__in": borrowers}).delete()


def index_borrower(*, borrower: Borrower) -> None:
    """Make the search terms of a saved borrower those of its values.

    Call it in the transaction that saved the borrower.
    """
    wanted = _terms(borrower)
    kept = {(term.kind, term.digest): term.pk for term in borrower.terms.all()}
    gone = [pk for term, pk in kept.items() if term not in wanted]
    if gone:
        BorrowerTerm.objects.filter(pk__in=gone).delete()
    _add_terms({borrower.pk: wanted - kept.keys()})


def index_borrowers(*, pks: Collection[int], progress: Progress = no_progress) -> int:
    """Write the search terms of many borrowers anew: after a bulk write, or with a new index key.

    Parameters
    ----------
    pks : collection of int
        Primary keys; those that are not there are passed over.
    progress : Progress

    Returns
    -------
    int
        How many borrowers were indexed.
    """
    done = 0
    for some in batches(sorted(pks), KEYS_A_QUERY):
        with transaction.atomic():
            found = list(Borrower.objects.select_for_update().filter(pk__in=some).order_by("pk"))
            BorrowerTerm.objects.filter(borrower__in=some).delete()
            _add_terms({borrower.pk: _terms(borrower) for borrower in found})
        done += len(found)
        progress("indexing borrowers", done, len(pks))
    return done


@transaction.atomic
def ensure_borrowers(*, card_numbers: Collection[str]) -> tuple[dict[str, int], int]:
    """Make those borrowers that are not there yet, known by nothing but their card.

    Returns
    -------
    ids : dict
        The primary keys of all of them, by card number.
    made : int
    """
    missing = sorted(set(card_numbers) - borrower_ids(card_numbers=card_numbers).keys())
    # Another import may make the same ones meanwhile.
    Borrower.objects.bulk_create([Borrower(card_number=number) for number in missing], ignore_conflicts=True)
    ids = borrower_ids(card_numbers=card_numbers)
    _add_terms({ids[number]: terms_of(card_number=number) for number in missing})
    return ids, len(missing)


def _terms(borrower: Borrower) -> set[tuple[str, str]]:
    return terms_of(
        card_number=borrower.card_number, name=borrower.name, email=borrower.email, phone=borrower.phone
    )


def _add_terms(terms: dict[int, set[tuple[str, str]]]) -> None:
    # Sorted, so that two imports of the same borrowers wait for each other instead of blocking each other.
    rows = [
        BorrowerTerm(borrower_id=pk, kind=kind, digest=digest)
        for pk in sorted(terms)
        for kind, digest in sorted(terms[pk])
    ]
    BorrowerTerm.objects.bulk_create(rows, ignore_conflicts=True)
