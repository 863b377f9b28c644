"""Reads of the borrowers."""

from collections.abc import Collection
from itertools import groupby
from typing import TypeVar

from django.db.models import Count, Model, Q, QuerySet

from library.catalogue.selectors.lookup import MOST_HITS
from library.db import KEYS_A_QUERY, batches
from library.people.encryption import blind_index
from library.people.models import PERSONAL_FIELDS, Borrower, BorrowerTerm

#: More than all that a borrower can be found by; beyond it a query would only be work for the database.
LONGEST_QUERY = 600

Row = TypeVar("Row", bound=Model)


def borrower_ids(*, card_numbers: Collection[str]) -> dict[str, int]:
    """Return the primary keys of those borrowers that exist, by card number."""
    found: dict[str, int] = {}
    for numbers in batches(sorted(card_numbers), KEYS_A_QUERY):
        found.update(Borrower.objects.filter(card_number__in=numbers).values_list("card_number", "pk"))
    return found


def search_borrowers(*, query: str) -> QuerySet[Borrower]:
    """Return the borrowers that all words of the query match.

    Parameters
    ----------
    query : str
        Whole words in any order: a card number, an e-mail address, a telephone number (with or without
        spaces between its digits), words of the name. Case does not count; accents count where they are
        written. An empty query is matched by all, one of more than `LONGEST_QUERY` characters by none.
    """
    terms = _Terms()
    words = query.split()
    if not words:
        return Borrower.objects.all()
    if len(query) > LONGEST_QUERY:
        return Borrower.objects.none()
    matches = Q()
    for kind, run in groupby(words, key=_kind_of_word):
        matches &= _run_matches(terms, kind, list(run))
    if len(words) > 1:
        # A card number may have spaces in it.
        matches |= terms.has((blind_index.CARD, blind_index.card_term(query)))
    return Borrower.objects.filter(pk__in=terms.borrowers(matches))


def borrowers_called(text: str) -> QuerySet[Borrower]:
    """Return the borrowers whose card number begins so, to find rows about them."""
    return Borrower.objects.filter(card_number__startswith=text)[:MOST_HITS]


def without_personal_data(rows: QuerySet[Row], *, at: str = "borrower") -> QuerySet[Row]:
    """Return rows joined with their borrower without reading who that is.

    For whatever names people by their card alone: it decrypts nothing, and a value that cannot be decrypted
    does not stop it.

    Parameters
    ----------
    rows : QuerySet
    at : str
        The foreign key to the borrower, with the way to it such as ``loan__borrower``.
    """
    personal = [f"{at}__{name}" for name in PERSONAL_FIELDS]
    return rows.select_related(at).defer(*personal)


def _kind_of_word(word: str) -> str:
    if blind_index.is_phone(word):
        return blind_index.PHONE
    chinese = blind_index.chinese_name(word)
    return blind_index.NAME if chinese and blind_index.name_words(word) == [chinese] else ""


class _Terms:
    """Conditions on the terms of one borrower, answered together.

    One scan of the index for all digests of a query, grouped by borrower, takes the same time however many
    borrowers there are; a subquery a word, joined by "or", reads all borrowers.
    """

    def __init__(self) -> None:
        self._digests: list[list[str]] = []

    def has(self, *terms: tuple[str, str]) -> Q:
        """Return the condition that a borrower has one of the terms."""
        self._digests.append([blind_index.digest(kind, term) for kind, term in terms])
        return Q(**{f"has_{len(self._digests) - 1}__gt": 0})

    def borrowers(self, condition: Q) -> QuerySet:
        """Return the keys of the borrowers that a condition holds for."""
        wanted = {digest for digests in self._digests for digest in digests}
        counts = {
            f"has_{number}": Count("pk", filter=Q(digest__in=digests))
            for number, digests in enumerate(self._digests)
        }
        terms = BorrowerTerm.objects.filter(digest__in=wanted).values("borrower")
        return terms.annotate(**counts).filter(condition).values("borrower")


def _run_matches(terms: _Terms, kind: str, words: list[str]) -> Q:
    """Match words of one kind that stand together: each by itself, or all as one number or Chinese name."""
    matches = Q()
    for word in words:
        matches &= _word_matches(terms, word)
    together = "".join(words)
    if len(words) > 1 and kind == blind_index.PHONE:
        matches |= terms.has((blind_index.PHONE, blind_index.phone_term(together)))
    elif len(words) > 1 and kind == blind_index.NAME:
        matches |= terms.has((blind_index.NAME, blind_index.chinese_name(together)))
    return matches


def _word_matches(terms: _Terms, word: str) -> Q:
    wholes = [
        (blind_index.CARD, blind_index.card_term(word)),
        (blind_index.EMAIL, blind_index.email_term(word)),
    ]
    if blind_index.is_phone(word):
        wholes.append((blind_index.PHONE, blind_index.phone_term(word)))
    # The words round an @ are no name: they would find Anna Example by anna@example.org.
    names = [] if "@" in word else blind_index.name_words(word)
    if len(names) == 1:
        return terms.has(*wholes, (blind_index.NAME, names[0]))
    matches = terms.has(*wholes)
    if names:
        # Jean-Luc is one word of the query and two of the name.
        all_names = Q()
        for name in names:
            all_names &= terms.has((blind_index.NAME, name))
        matches |= all_names
    return matches


def figures() -> dict[str, int]:
    """Return how many people there are, for the state of the installation."""
    return {"borrowers": Borrower.objects.count()}
