"""Search queries and their results, in both databases."""

import json
import random
import string

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library.catalogue.importing.books import import_books
from library.catalogue.models import Book, SearchEntry
from library.catalogue.search import MAX_HITS, in_order, matching, ranked
from library.catalogue.search.tokenizer import fold
from library.catalogue.services import CategoryRetiredError, index_books, rebuild_search, save_book
from tests.conftest import default_database
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_category
from tests.files import write_csv
from tests.logins import desk, make_librarian


def titles(text, books=None):
    books = Book.objects.all() if books is None else books
    return [book.title for book in in_order(books=books, keys=ranked(books=books, text=text))]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The whole title, then in sequence, then anywhere; of equal ranks the shorter title first.
        ("art", ["Art", "A History of Art", "A History of the Art of Maps", "Articles of Faith"]),
        ("history of art", ["A History of Art", "A History of the Art of Maps"]),
        ("art history", ["A History of Art", "A History of the Art of Maps"]),
        # Search as you type: the last word is a prefix unless a space follows it.
        ("hist", ["Historical Maps", "A History of Art", "A History of the Art of Maps"]),
        ("hist ", []),
        ("hist art", []),
        ("a", ["A History of Art", "A History of the Art of Maps"]),
        # Title before authors before other fields.
        ("newton", ["Newton", "Newton at Sea", "Optics", "Waves"]),
        ("optics newton", ["Optics"]),
        ("sea waves", ["Waves"]),
        ("sea optics", []),
        # Case, accents and special letters.
        ("EMILE ZOLA", ["L'été"]),
        ("ete", ["L'été"]),
        ("kierkegard", []),
        ("soren kierkegaard", ["Either/Or"]),
        ("STRASSE", ["Die Straße"]),
        ("ｓｔｒａｓｓｅ", ["Die Straße"]),
    ],
)
def test_best_matches_come_first(text, expected):
    make_book(title="A History of the Art of Maps")
    make_book(title="A History of Art")
    make_book(title="Art")
    make_book(title="Articles of Faith")
    make_book(title="Historical Maps")
    make_book(title="Waves", description="What Newton knew of the sea, and what he did not.")
    make_book(title="Optics", authors="Isaac Newton")
    make_book(title="Newton at Sea")
    make_book(title="Newton")
    make_book(title="L'été", authors="Émile Zola")
    make_book(title="Either/Or", authors="Søren Kierkegaard")
    make_book(title="Die Straße")
    assert titles(text) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A word before a part of another word; simplified and traditional characters are equal.
        ("中国", ["中国", "中国历史", "中国古代历史", "發展中國家"]),
        ("中國", ["中国", "中国历史", "中国古代历史", "發展中國家"]),
        ("国家", ["發展中國家"]),
        # In sequence before apart.
        ("中国历史", ["中国历史", "中国古代历史"]),
        ("中国的历史", ["中国历史", "中国古代历史"]),
        ("历史中国", ["中国历史", "中国古代历史"]),
        # One character anywhere; two separate characters are not a pair.
        ("学", ["圖書館學"]),
        ("书学", []),
        ("图书馆", ["圖書館學"]),
        ("Python 编程", ["Python编程入门"]),
        ("编程pyth", ["Python编程入门"]),
        ("王小波", ["圖書館學"]),
        ("小波", ["圖書館學"]),
        ("岛国", ["發展中國家"]),
    ],
)
def test_chinese_is_searched_by_words_and_characters(text, expected):
    make_book(title="發展中國家", description="論島國。")
    make_book(title="中国古代历史")
    make_book(title="中国历史")
    make_book(title="中国")
    make_book(title="圖書館學", authors="王小波")
    make_book(title="Python编程入门")
    assert titles(text) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        *("9787111407010", "978-7-111-40701-0", "7111407016", "7-111-40701-6", "97871114", "978-7-111"),
        *("ocm-123/45", "OCM12345", "ocm-123"),
    ],
)
def test_book_is_found_by_its_numbers(text):
    make_book(title="Another", isbn="9780306406157", control_number="B9")
    make_book(title="Algorithms", isbn="9787111407010", control_number="ocm-123/45")
    assert titles(text) == ["Algorithms"]
    assert [book.title for book in matching(books=Book.objects.all(), text=text)] == ["Algorithms"]


@pytest.mark.django_db
def test_search_is_limited_to_the_queryset():
    make_book(title="Optics", language="en")
    make_book(title="Optics", language="de")
    assert titles("optics", Book.objects.filter(language="de")) == ["Optics"]
    assert len(titles("optics")) == 2
    assert titles("optics", Book.objects.none()) == []
    assert list(matching(books=Book.objects.filter(language="fr"), text="optics")) == []


@both_databases
def test_search_for_common_words_ranks_the_whole_title_first(database):
    books = [Book(control_number=f"C{n}", title=f"On history, part {n}") for n in range(MAX_HITS + 50)]
    Book.objects.bulk_create([*books, Book(control_number="X", title="History", description="z")])
    index_books(pks=Book.objects.values_list("pk", flat=True))
    keys = ranked(books=Book.objects.all(), text="history")
    assert len(keys) == len(set(keys)) == MAX_HITS
    assert Book.objects.get(pk=keys[0]).title == "History"
    assert matching(books=Book.objects.all(), text="history").count() == MAX_HITS + 51


@both_databases
def test_index_follows_the_catalogue(database):
    book = make_book(title="Optics")
    book.title = "Waves"
    save_book(book=book)
    assert (titles("optics"), titles("waves")) == ([], ["Waves"])
    Book.objects.update(title="Light")
    assert titles("light") == []
    index_books(pks=[book.pk, book.pk + 1])
    assert (titles("light"), titles("waves")) == (["Light"], [])
    Book.objects.all().delete()
    assert not SearchEntry.objects.exists()


@both_databases
def test_refused_book_is_not_indexed(database):
    with pytest.raises(CategoryRetiredError):
        make_book(title="Optics", category=make_category(retired_at=NOW))
    assert titles("optics") == []
    assert not SearchEntry.objects.exists()


@both_databases
def test_import_fills_the_index(database, tmp_path):
    make_book(control_number="1", title="Optics", authors="Newton")
    file = write_csv(tmp_path / "a.csv", "id,title", ("1", "Waves"), ("2", "Tides"))
    import_books(path=file, dry_run=True, now=NOW)
    assert (titles("waves"), titles("tides"), titles("optics")) == ([], [], ["Optics"])
    import_books(path=file, now=NOW)
    assert (titles("waves newton"), titles("tides"), titles("optics")) == (["Waves"], ["Tides"], [])


@pytest.mark.django_db
def test_admin_updates_and_uses_the_index():
    client = desk(make_librarian())
    for other in ("Opticks and other things", "Bridges"):
        make_book(title=other, description="Opticks")
    form = {"title": "Opticks", "control_number": "9", "copies-TOTAL_FORMS": 0, "copies-INITIAL_FORMS": 0}
    form |= {"suggestions-TOTAL_FORMS": 0, "suggestions-INITIAL_FORMS": 0}
    assert client.post("/admin/catalogue/book/add/", form).status_code == 302

    def listed(**query):
        page = client.get("/admin/catalogue/book/", {"q": "opticks", **query})
        return [book.title for book in page.context["cl"].result_list]

    assert listed() == ["Opticks", "Opticks and other things", "Bridges"]
    assert listed(o="2") == ["Bridges", "Opticks", "Opticks and other things"]  # sorted by the title column
    term = {"app_label": "catalogue", "model_name": "copy", "field_name": "book", "term": "opti"}
    suggested = client.get("/admin/autocomplete/", term).json()["results"]
    assert [row["text"] for row in suggested] == ["Opticks", "Opticks and other things", "Bridges"]


@both_databases
def test_index_is_rebuilt(database, capsys):
    make_book(title="Optics")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalogue_searchentry")
    assert titles("optics") == []
    call_command("rebuild_search", "--json")
    assert titles("optics") == ["Optics"]
    assert capsys.readouterr().out == '{"books": 1}\n'


@both_databases
def test_dump_excludes_the_index(database, capsys):
    make_book(title="Optics")
    call_command("dumpdata", "catalogue")
    assert [row["model"] for row in json.loads(capsys.readouterr().out)] == ["catalogue.book"]


@pytest.mark.django_db
def test_orphaned_entries_are_deleted():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO catalogue_searchentry (rowid, title) VALUES (99, 'gone')")
    rebuild_search()
    assert not SearchEntry.objects.exists()


WORDS = [
    *("art", "history", "of", "optics", "light", "hist", "中国", "历史", "图书馆", "學", "光", "发展中国家"),
    *("Müller", "O'Reilly", "C++", "9787111407010", "part 2", "2001"),
]


@pytest.mark.parametrize("seed", range(3))
def test_both_databases_rank_alike(seed, sqlite, postgresql, django_db_blocker):
    rng = random.Random(seed)

    def words(limit):
        return rng.choice(["", " "]).join(rng.choices(WORDS, k=rng.randint(1, limit)))

    books = [
        {"id": n, "control_number": f"B{n}", "title": words(4), "authors": words(2), "description": words(12)}
        for n in range(1, 201)
    ]
    queries = [words(3) for _ in range(60)]
    results = {}
    for config in (sqlite, postgresql):
        with django_db_blocker.unblock(), default_database(config), rolled_back():
            Book.objects.bulk_create(Book(**book) for book in books)
            index_books(pks=[book["id"] for book in books])
            results[connection.vendor] = {
                query: (
                    ranked(books=Book.objects.all(), text=query),
                    sorted(matching(books=Book.objects.all(), text=query).values_list("pk", flat=True)),
                )
                for query in queries
            }
    assert results["sqlite"] == results["postgresql"]
    assert len([1 for keys, _all in results["sqlite"].values() if len(keys) > 1]) > 20


#: Text with a meaning in the query languages of both databases, and invalid characters.
SYNTAX = (
    st.text(alphabet=st.sampled_from("\"'*:&|!()<->{}^+-\\%_;,.\0\n 光学ab1" + "AND OR NOT NEAR title"))
    | st.text()
)


@both_databases
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example is rolled back
@given(text=SYNTAX)
def test_any_text_is_a_valid_query(database, text):
    with rolled_back():
        make_book(title="Optics")
        keys = ranked(books=Book.objects.all(), text=text)
        matches = set(matching(books=Book.objects.all(), text=text).values_list("pk", flat=True))
    assert set(keys) == matches


@both_databases
@pytest.mark.parametrize("text", ["a" * 100_000, "光" * 100_000, "a b " * 50_000, "1" * 5_000, "\0" * 9])
def test_long_query_is_truncated(database, text):
    make_book(title="Optics")
    assert ranked(books=Book.objects.all(), text=text) == []


@both_databases
def test_full_fields_are_indexed(database):
    letters = random.Random(0).choices(string.ascii_lowercase + "光学图书馆", k=1_000)
    long = "".join(letters)
    make_book(
        title=long, subtitle="光" * 1_000, authors=" ".join(letters[:500]), description="光学 x" * 50_000
    )
    assert titles(long) == [long]
    assert titles("光学 x") == [long]
    make_book(title="光" * 1_000, authors="图书馆" * 300)
    assert titles("光" * 150) == ["光" * 1_000, long]


@given(text=st.text())
def test_folding_is_idempotent(text):
    assert fold(fold(text)) == fold(text)
