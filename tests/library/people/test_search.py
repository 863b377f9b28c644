"""The blind index: the desk finds a borrower by whole words, and nobody else."""

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from library.people.encryption.blind_index import name_words, phone_term, terms_of
from library.people.models import Borrower, BorrowerTerm
from library.people.selectors import borrower_ids, search_borrowers
from library.people.services.borrowers import ensure_borrowers, index_borrowers, save_borrower
from tests.databases import both_databases, in_thread, undone
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
def test_a_borrower_is_found_by(query):
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
def test_a_borrower_is_not_found_by(query):
    make_borrower(
        card_number="P100",
        name="Jean-Luc Dvořáková 欧阳 修",
        email="anna@example.org",
        phone="+44 20 7946 0958",
    )
    assert found(query) == []


def test_accents_count_where_they_are_written():
    make_borrower(card_number="plain", name="Muller")
    make_borrower(card_number="accented", name="Müller")
    assert (found("Müller"), found("muller")) == (["accented"], ["accented", "plain"])


def test_an_equal_number_of_another_kind_is_no_link():
    """Who reads the table cannot tell that a card number is somebody's telephone number."""
    terms = terms_of(card_number="4711", name="4711", email="4711", phone="4711")
    assert len({digest for _, digest in terms}) == len(terms) == 4


@both_databases
@pytest.mark.parametrize("separator", [" ", "-"])
@pytest.mark.parametrize("words", [300, 10_000])
def test_a_query_of_very_many_words_finds_nobody(database, separator, words):
    make_borrower(card_number="P1", name="Anna")
    # Letters of Cherokee, each its own word.
    query = separator.join(chr(0x13A0 + number % 80) for number in range(words))
    assert found(query) == []


def test_nothing_asked_for_is_matched_by_all():
    make_borrower()
    assert search_borrowers(query="  ").count() == 1


@given(st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=3), max_size=4), st.data())
def test_a_search_finds_those_who_have_all_words_and_no_others(people, data):
    query = data.draw(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=2))

    def wanted(words: list[str]) -> bool:
        has = {*words, "".join(word for word in words if word in "欧阳修")}
        if "dvořák" in words:
            has.add("dvorak")
        return has >= set(query) or (query == ["欧阳", "修"] and "欧阳修" in has)

    with undone():
        cards = {make_borrower(name=" ".join(words)).card_number: words for words in people}
        assert set(found(" ".join(query))) == {card for card, words in cards.items() if wanted(words)}


@given(st.text(), st.text())
def test_a_borrower_is_found_by_every_word_of_any_name(name, other):
    with undone():
        make_borrower(card_number="sought", name=name)
        make_borrower(card_number="\t", name=other)
        for word in [*name.split(), *name_words(name)]:
            assert "@" in word or not name_words(word) or "sought" in found(word)


@given(st.text())
def test_words_are_the_same_however_often_they_are_made(name):
    words = name_words(name)
    assert name_words(" ".join(words)) == words
    assert phone_term(phone_term(name)) == phone_term(name)


def test_an_edit_changes_what_is_found():
    borrower = make_borrower(card_number="P1", name="Anna Bo", email="anna@example.org")
    borrower.name, borrower.email = "Anna Chen", ""
    save_borrower(borrower=borrower)
    queries = ("anna", "chen", "bo", "anna@example.org")
    assert [found(query) for query in queries] == [["P1"], ["P1"], [], []]


def test_an_edit_that_fails_changes_nothing_that_is_found():
    make_borrower(card_number="taken")
    borrower = make_borrower(card_number="P1", name="Anna")
    borrower.card_number, borrower.name = "taken", "Bo"
    with pytest.raises(IntegrityError), transaction.atomic():
        save_borrower(borrower=borrower)
    assert (found("anna"), found("bo")) == (["P1"], [])


def test_a_borrower_that_goes_takes_its_terms_along():
    make_borrower(name="Anna").delete()
    assert not BorrowerTerm.objects.exists()


def test_borrowers_made_in_bulk_are_found_by_their_card():
    make_borrower(card_number="P1", name="Anna")
    ids, made = ensure_borrowers(card_numbers=["P1", "P2", "P3"])
    assert (ids, made) == (borrower_ids(card_numbers=["P1", "P2", "P3"]), 2)
    assert [found(query) for query in ("P1", "P2", "anna")] == [["P1"], ["P2"], ["P1"]]


def test_a_new_index_key_needs_a_new_index():
    with keys(OLD, index_key=OLD):
        borrower = make_borrower(card_number="P1", name="Anna")
    with keys(OLD, index_key=NEW):
        assert found("anna") == []
        assert index_borrowers(pks=[borrower.pk, 0]) == 1
        assert found("anna") == ["P1"]
    with keys(OLD, index_key=OLD):
        assert found("anna") == []


def test_a_search_is_one_query(django_assert_num_queries):
    make_borrower(name="Anna Bo")
    with django_assert_num_queries(1):
        assert len(search_borrowers(query="Anna Bo")) == 1


@both_databases
def test_two_edits_at_once_leave_the_terms_of_the_last(database, thread):
    borrower = make_borrower(card_number="P1", name="Anna")

    def edit(name: str) -> None:
        with transaction.atomic():
            mine = Borrower.objects.select_for_update().get(pk=borrower.pk)
            mine.name = name
            save_borrower(borrower=mine)

    edits = [in_thread(thread, lambda name=name: edit(name)) for name in ("Bo", "Chen", "Bo Chen", "Dana")]
    for one in edits:
        one.result()
    kept = Borrower.objects.get()
    assert set(kept.terms.values_list("kind", "digest")) == terms_of(card_number="P1", name=kept.name)
