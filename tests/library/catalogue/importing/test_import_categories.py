import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.importing.categories import import_categories
from library.catalogue.models import Category
from library.tabular import ImportRefusedError, UnusableFileError
from tests.databases import both_databases, rolled_back
from tests.factories import make_category
from tests.files import write_csv

HEADER = "notation,label_en,label_zh,parent"


def counts(report):
    return report.created, report.updated, report.unchanged, report.skipped


def problems(report):
    return [(problem.row, problem.column, problem.message) for problem in report.problems]


def parents():
    return dict(Category.objects.values_list("notation", "parent__notation"))


@both_databases
def test_parents_may_follow_their_children(database, tmp_path):
    rows = [("535", "Optics", "光学", "53"), ("53", "Physics", "物理学", "5"), ("5", "Science", "", "")]
    path = write_csv(tmp_path / "categories.csv", HEADER, *rows)
    report = import_categories(path=path)
    assert counts(report) == (3, 0, 0, 0)
    assert report.problems == []
    assert set(
        Category.objects.values_list("scheme", "notation", "label_en", "label_zh", "parent__notation")
    ) == {
        ("local", "535", "Optics", "光学", "53"),
        ("local", "53", "Physics", "物理学", "5"),
        ("local", "5", "Science", "", None),
    }
    assert counts(import_categories(path=path)) == (0, 0, 3, 0)


@both_databases
def test_existing_category_is_updated(database, tmp_path):
    science = make_category(notation="5", label_en="Science")
    make_category(notation="53", label_en="Phisics", label_zh="物理学", parent=science)
    path = write_csv(tmp_path / "categories.csv", "notation,label_en", ("53", "Physics"), ("5", "Science"))
    assert counts(import_categories(path=path)) == (0, 1, 1, 0)
    assert Category.objects.filter(notation="53").values_list("label_en", "label_zh", "parent").get() == (
        "Physics",
        "物理学",
        science.pk,
    )
    write_csv(path, HEADER, ("53", "Physics", "", ""))
    assert counts(import_categories(path=path)) == (0, 1, 0, 0)
    assert Category.objects.filter(notation="53").values_list("label_zh", "parent").get() == ("", None)


@pytest.mark.django_db
def test_schemes_are_separate(tmp_path):
    make_category(notation="5", scheme="local")
    path = write_csv(tmp_path / "categories.csv", HEADER, ("53", "", "", "5"))
    report = import_categories(path=path, scheme="ddc")
    assert problems(report) == [(2, "parent", 'Category "5" does not exist. The value is skipped.')]
    assert Category.objects.get(scheme="ddc").notation == "53"


@both_databases
def test_bad_rows_are_reported_and_good_rows_imported(database, tmp_path):
    path = write_csv(
        tmp_path / "categories.csv",
        HEADER,
        ("1", "One", "", "9"),
        ("", "Nameless", "", ""),
        ("2" * 201, "", "", ""),
        ("3", "x" * 201, "", "1"),
        ("1", "Uno", "", ""),
    )
    report = import_categories(path=path)
    assert counts(report) == (2, 0, 0, 2)
    assert problems(report) == [
        (3, "notation", "Missing notation. Row skipped."),
        (4, "notation", f'"{"2" * 59}…" is longer than 200 characters. Row skipped.'),
        (5, "label_en", "The text has 201 characters. It is truncated to 200."),
        (6, "notation", '"1" duplicates line 2. This line will be used.'),
    ]
    assert set(Category.objects.values_list("notation", "label_en", "parent__notation")) == {
        ("1", "Uno", None),
        ("3", "x" * 200, "1"),
    }


@both_databases
def test_parents_that_make_a_circle_are_skipped(database, tmp_path):
    rows = [
        ("a", "", "", "b"),
        ("b", "", "", "c"),
        ("c", "", "", "a"),
        ("d", "", "", "a"),
        ("e", "", "", "e"),
    ]
    path = write_csv(tmp_path / "categories.csv", HEADER, *rows)
    report = import_categories(path=path)
    assert [(row, column) for row, column, _ in problems(report)] == [(n, "parent") for n in (2, 3, 4, 6)]
    assert "This parent would create a loop" in report.problems[0].message
    assert parents() == {"a": None, "b": None, "c": None, "d": "a", "e": None}


@pytest.mark.django_db
def test_circle_closed_by_the_file_is_skipped(tmp_path):
    top = make_category(notation="a")
    make_category(notation="b", parent=top)
    path = write_csv(tmp_path / "categories.csv", HEADER, ("a", "", "", "b"))
    report = import_categories(path=path)
    assert [(row, column) for row, column, _ in problems(report)] == [(2, "parent")]
    assert parents() == {"a": None, "b": "a"}


@pytest.mark.django_db
def test_existing_circle_is_not_reported(tmp_path):
    first = make_category(notation="a")
    second = make_category(notation="b", parent=first)
    Category.objects.filter(pk=first.pk).update(parent=second)
    path = write_csv(tmp_path / "categories.csv", HEADER, ("c", "", "", "a"), ("d", "", "", "d"))
    assert [(row, column) for row, column, _ in problems(import_categories(path=path))] == [(3, "parent")]
    assert parents() == {"a": "b", "b": "a", "c": "a", "d": None}


@both_databases
def test_strict_import_keeps_nothing(database, tmp_path):
    path = write_csv(tmp_path / "categories.csv", HEADER, ("1", "", "", ""), ("2", "", "", "9"))
    with pytest.raises(ImportRefusedError, match=r"categories\.csv has 1 problem\."):
        import_categories(path=path, strict=True)
    assert Category.objects.count() == 0


@pytest.mark.django_db
def test_dry_run_imports_nothing(tmp_path):
    path = write_csv(tmp_path / "categories.csv", HEADER, ("1", "", "", ""))
    assert counts(import_categories(path=path, dry_run=True)) == (1, 0, 0, 0)
    assert Category.objects.count() == 0


@pytest.mark.django_db
def test_file_without_notation_column_is_refused(tmp_path):
    with pytest.raises(UnusableFileError, match="required columns are missing: notation"):
        import_categories(path=write_csv(tmp_path / "categories.csv", "label_en", ("Optics",)))


@pytest.mark.django_db
@settings(max_examples=50)
@given(
    before=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdef")),
    rows=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdef"])), unique_by=lambda r: r[0]
    ),
)
def test_no_file_creates_a_circle(tmp_path_factory, before, rows):
    path = tmp_path_factory.mktemp("circles") / "categories.csv"
    with rolled_back():
        write_csv(path, "notation,parent", *before.items())
        import_categories(path=path)
        write_csv(path, "notation,parent", *rows)
        import_categories(path=path)
        above = parents()
        for start in above:
            seen, notation = set(), start
            while notation is not None:
                assert notation not in seen
                seen.add(notation)
                notation = above[notation]
