"""The blind index: staff find a borrower by whole words."""

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from library.people.encryption.blind_index import name_words, phone_term, search_terms
from library.people.models import Borrower, BorrowerTerm
from library.people.selectors import borrower_ids, search_borrowers
from library.people.services.borrowers import ensure_borrowers, index_borrowers, save_borrower
from tests.databases import both_databases, in_thread, rolled_back
from tests.factories import make_borrower
from tests.library.people.keyrings import NEW, OLD, keys

pytestmark = pytest.mark.django_db

VOCABULARY = ["anna", "bo", "chen", "dvořák", "dvorak", "欧阳", "修", "欧阳修", "4711"]


def found(query: str) -> list[str]:
    return [borrower.card_number for borrower in search_borrowers(query=query).order_by("card_number")]


@pytest.mark.parametrize(
    "query",
    [
        "P 100", "p100", "Ｐ100", "anna@example.org", "ANNA@Example.ORG", "+44 20 7946 0958", "442079460958",
        "(+44)20-7946.0958", "٤٤٢٠٧٩٤٦٠٩٥٨", "Dvořáková", "DVOŘÁKOVÁ", "dvorakova", "Jean-Luc", "luc jean",
        "O'Brien", "O’BRIEN", "obrien", "欧阳修", "欧阳 修", "修", "欧阳·修", "Straße", "STRASSE",
        "Jean 442079460958", "P100 dvorakova 欧阳修 442079460958 anna@example.org",
    ],
)  # fmt: skip
def test_query_finds_the_borrower(query):
    make_borrower(
        card_number="P 100",
        name="Jean-Luc O’Brien Dvořáková Straße 欧阳 修",
        email="Anna@example.org",
        phone="+44 (20) 7946-0958",
    )
    make_borrower(card_number="P2", name="Else Where", email="else@example.org", phone="1")
    assert found(query) == ["P 100"]


@pytest.mark.parametrize(
    "query",
    [
        "P10", "100", "ann", "anna", "example", "example.org", "2079460958", "7946", "Dvořakova", "Lucy",
        "je", "Jean else", "Jean@Luc", "欧", "阳修", "!", "'", "-", "\0", "Jean 20 7946",
    ],
)  # fmt: skip
def test_query_finds_nobody(query):
    make_borrower(
        card_number="P100",
        name="Jean-Luc Dvořáková 欧阳 修",
        email="anna@example.org",
        phone="+44 20 7946 0958",
    )
    assert found(query) == []


def test_accents_in_the_query_must_match():
    make_borrower(card_number="plain", name="Muller")
    make_borrower(card_number="accented", name="Müller")
    assert (found("Müller"), found("muller")) == (["accented"], ["accented", "plain"])


def test_equal_values_of_different_kinds_have_different_digests():
    """The table does not show that a card number equals a phone number."""
    terms = search_terms(card_number="4711", name="4711", email="4711", phone="4711")
    assert len({digest for _, digest in terms}) == len(terms) == 4


@both_databases
@pytest.mark.parametrize("separator", [" ", "-"])
@pytest.mark.parametrize("words", [300, 10_000])
def test_very_long_query_finds_nobody(database, separator, words):
    make_borrower(card_number="P1", name="Anna")
    # Cherokee letters; each is a word.
    query = separator.join(chr(0x13A0 + number % 80) for number in range(words))
    assert found(query) == []


def test_empty_query_finds_all():
    make_borrower()
    assert search_borrowers(query="  ").count() == 1


@given(st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=3), max_size=4), st.data())
def test_search_finds_exactly_the_borrowers_with_all_words(people, data):
    query = data.draw(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=2))

    def matches(words: list[str]) -> bool:
        terms = {*words, "".join(word for word in words if word in "欧阳修")}
        if "dvořák" in words:
            terms.add("dvorak")
        return terms >= set(query) or (query == ["欧阳", "修"] and "欧阳修" in terms)

    with rolled_back():
        cards = {make_borrower(name=" ".join(words)).card_number: words for words in people}
        assert set(found(" ".join(query))) == {card for card, words in cards.items() if matches(words)}


@given(st.text(), st.text())
def test_every_word_of_a_name_finds_the_borrower(name, other):
    with rolled_back():
        make_borrower(card_number="sought", name=name)
        make_borrower(card_number="\t", name=other)
        for word in [*name.split(), *name_words(name)]:
            assert "@" in word or not name_words(word) or "sought" in found(word)


@given(st.text())
def test_normalisation_is_idempotent(name):
    words = name_words(name)
    assert name_words(" ".join(words)) == words
    assert phone_term(phone_term(name)) == phone_term(name)


def test_edit_updates_the_search_terms():
    borrower = make_borrower(card_number="P1", name="Anna Bo", email="anna@example.org")
    borrower.name, borrower.email = "Anna Chen", ""
    save_borrower(borrower=borrower)
    queries = ("anna", "chen", "bo", "anna@example.org")
    assert [found(query) for query in queries] == [["P1"], ["P1"], [], []]


def test_failed_edit_keeps_the_search_terms():
    make_borrower(card_number="taken")
    borrower = make_borrower(card_number="P1", name="Anna")
    borrower.card_number, borrower.name = "taken", "Bo"
    with pytest.raises(IntegrityError), transaction.atomic():
        save_borrower(borrower=borrower)
    assert (found("anna"), found("bo")) == (["P1"], [])


def test_deletion_deletes_the_search_terms():
    make_borrower(name="Anna").delete()
    assert not BorrowerTerm.objects.exists()


def test_bulk_created_borrowers_are_found_by_card_number():
    make_borrower(card_number="P1", name="Anna")
    ids, created = ensure_borrowers(card_numbers=["P1", "P2", "P3"])
    assert (ids, created) == (borrower_ids(card_numbers=["P1", "P2", "P3"]), 2)
    assert [found(query) for query in ("P1", "P2", "anna")] == [["P1"], ["P2"], ["P1"]]


def test_new_index_key_needs_a_new_index():
    with keys(OLD, index_key=OLD):
        borrower = make_borrower(card_number="P1", name="Anna")
    with keys(OLD, index_key=NEW):
        assert found("anna") == []
        assert index_borrowers(pks=[borrower.pk, 0]) == 1
        assert found("anna") == ["P1"]
    with keys(OLD, index_key=OLD):
        assert found("anna") == []


def test_search_takes_one_query(django_assert_num_queries):
    make_borrower(name="Anna Bo")
    with django_assert_num_queries(1):
        assert len(search_borrowers(query="Anna Bo")) == 1


@both_databases
def test_concurrent_edits_leave_the_terms_of_the_last(database, thread):
    borrower = make_borrower(card_number="P1", name="Anna")

    def edit(name: str) -> None:
        with transaction.atomic():
            locked = Borrower.objects.select_for_update().get(pk=borrower.pk)
            locked.name = name
            save_borrower(borrower=locked)

    edits = [in_thread(thread, lambda name=name: edit(name)) for name in ("Bo", "Chen", "Bo Chen", "Dana")]
    for future in edits:
        future.result()
    saved = Borrower.objects.get()
    assert set(saved.terms.values_list("kind", "digest")) == search_terms(card_number="P1", name=saved.name)
