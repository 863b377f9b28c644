"""Queries on borrowers."""

from collections.abc import Collection
from itertools import groupby
from typing import TypeVar

from django.db.models import Count, Model, Q, QuerySet

from library.catalogue.selectors.lookup import MAX_HITS
from library.db import KEYS_PER_QUERY, batches
from library.people.encryption import blind_index
from library.people.models import PERSONAL_FIELDS, Borrower, BorrowerTerm

#: In characters; more than all search terms of a borrower. Longer queries would only cost time.
MAX_QUERY_LENGTH = 600

Row = TypeVar("Row", bound=Model)


def borrower_ids(*, card_numbers: Collection[str]) -> dict[str, int]:
    """Return the primary keys of the borrowers that exist, by card number."""
    ids: dict[str, int] = {}
    for numbers in batches(sorted(card_numbers), KEYS_PER_QUERY):
        ids.update(Borrower.objects.filter(card_number__in=numbers).values_list("card_number", "pk"))
    return ids


def search_borrowers(*, query: str) -> QuerySet[Borrower]:
    """Return the borrowers that match all words of the query.

    Parameters
    ----------
    query
        Whole words in any order: a card number, an e-mail address, a phone number (with or without spaces
        between its digits), words of the name. Case is ignored; accents must match if the query has them. An
        empty query matches all borrowers, one of more than `MAX_QUERY_LENGTH` characters none.
    """
    terms = _Terms()
    words = query.split()
    if not words:
        return Borrower.objects.all()
    if len(query) > MAX_QUERY_LENGTH:
        return Borrower.objects.none()
    matches = Q()
    for kind, run in groupby(words, key=_kind_of_word):
        matches &= _run_matches(terms, kind, list(run))
    if len(words) > 1:
        # A card number may contain spaces.
        matches |= terms.has((blind_index.CARD, blind_index.card_term(query)))
    return Borrower.objects.filter(pk__in=terms.borrowers(matches))


def borrowers_by_card_number(text: str) -> QuerySet[Borrower]:
    """Return the borrowers whose card number starts with the text, to find rows about them."""
    return Borrower.objects.filter(card_number__startswith=text)[:MAX_HITS]


def without_personal_data(rows: QuerySet[Row], *, at: str = "borrower") -> QuerySet[Row]:
    """Return rows joined with their borrower, with the encrypted fields deferred.

    For lists that show only card numbers: nothing is decrypted, so a damaged value does not break them.

    Parameters
    ----------
    at
        The path of the foreign key to the borrower, such as ``loan__borrower``.
    """
    personal = [f"{at}__{name}" for name in PERSONAL_FIELDS]
    return rows.select_related(at).defer(*personal)


def _kind_of_word(word: str) -> str:
    if blind_index.is_phone(word):
        return blind_index.PHONE
    chinese = blind_index.chinese_name(word)
    return blind_index.NAME if chinese and blind_index.name_words(word) == [chinese] else ""


class _Terms:
    """Conditions on the search terms of a borrower, evaluated in one query.

    One scan of the index for all digests of a query, grouped by borrower, takes the same time for any number
    of borrowers. A subquery per word, joined by OR, would read all borrowers.
    """

    def __init__(self) -> None:
        self._digests: list[list[str]] = []

    def has(self, *terms: tuple[str, str]) -> Q:
        """Return the condition that a borrower has at least one of the terms."""
        self._digests.append([blind_index.digest(kind, term) for kind, term in terms])
        return Q(**{f"has_{len(self._digests) - 1}__gt": 0})

    def borrowers(self, condition: Q) -> QuerySet:
        """Return the primary keys of the borrowers that satisfy the condition."""
        all_digests = {digest for digests in self._digests for digest in digests}
        counts = {
            f"has_{number}": Count("pk", filter=Q(digest__in=digests))
            for number, digests in enumerate(self._digests)
        }
        terms = BorrowerTerm.objects.filter(digest__in=all_digests).values("borrower")
        return terms.annotate(**counts).filter(condition).values("borrower")


def _run_matches(terms: _Terms, kind: str, words: list[str]) -> Q:
    """Match adjacent words of one kind: each on its own, or all joined as one number or Chinese name."""
    matches = Q()
    for word in words:
        matches &= _word_matches(terms, word)
    joined = "".join(words)
    if len(words) > 1 and kind == blind_index.PHONE:
        matches |= terms.has((blind_index.PHONE, blind_index.phone_term(joined)))
    elif len(words) > 1 and kind == blind_index.NAME:
        matches |= terms.has((blind_index.NAME, blind_index.chinese_name(joined)))
    return matches


def _word_matches(terms: _Terms, word: str) -> Q:
    exact_terms = [
        (blind_index.CARD, blind_index.card_term(word)),
        (blind_index.EMAIL, blind_index.email_term(word)),
    ]
    if blind_index.is_phone(word):
        exact_terms.append((blind_index.PHONE, blind_index.phone_term(word)))
    # The parts of an e-mail address are not a name: anna@example.org must not find Anna Example.
    names = [] if "@" in word else blind_index.name_words(word)
    if len(names) == 1:
        return terms.has(*exact_terms, (blind_index.NAME, names[0]))
    matches = terms.has(*exact_terms)
    if names:
        # Jean-Luc is one word in the query and two in the name.
        all_names = Q()
        for name in names:
            all_names &= terms.has((blind_index.NAME, name))
        matches |= all_names
    return matches


def installation_counts() -> dict[str, int]:
    """Return the counts of this app, for the status of the installation."""
    return {"borrowers": Borrower.objects.count()}
