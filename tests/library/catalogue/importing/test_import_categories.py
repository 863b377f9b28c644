import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.catalogue.importing.categories import import_categories
from library.catalogue.models import Category
from library.tabular import ImportRefusedError, UnusableFileError
from tests.databases import both_databases, undone
from tests.factories import make_category
from tests.files import write_csv

HEADER = "notation,label_en,label_zh,parent"


def counts(report):
    return report.created, report.updated, report.unchanged, report.skipped


def found(report):
    return [(problem.row, problem.column, problem.message) for problem in report.problems]


def parents():
    return dict(Category.objects.values_list("notation", "parent__notation"))


@both_databases
def test_categories_are_made_with_parents_named_before_they_come(database, tmp_path):
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
def test_a_known_category_is_updated_and_its_missing_columns_left(database, tmp_path):
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
def test_schemes_are_kept_apart(tmp_path):
    make_category(notation="5", scheme="local")
    path = write_csv(tmp_path / "categories.csv", HEADER, ("53", "", "", "5"))
    report = import_categories(path=path, scheme="ddc")
    assert found(report) == [(2, "parent", 'No category "5"; left out.')]
    assert Category.objects.get(scheme="ddc").notation == "53"


@both_databases
def test_faults_are_named_and_good_rows_kept(database, tmp_path):
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
    assert found(report) == [
        (3, "notation", "No notation. The row is left out."),
        (4, "notation", f'"{"2" * 59}…" is longer than 200 characters. The row is left out.'),
        (5, "label_en", "201 characters; cut to 200."),
        (6, "notation", '"1" is on line 2 already; this line is the one that counts.'),
    ]
    assert set(Category.objects.values_list("notation", "label_en", "parent__notation")) == {
        ("1", "Uno", None),
        ("3", "x" * 200, "1"),
    }


@both_databases
def test_parents_that_lead_round_in_a_circle_are_left_out(database, tmp_path):
    rows = [
        ("a", "", "", "b"),
        ("b", "", "", "c"),
        ("c", "", "", "a"),
        ("d", "", "", "a"),
        ("e", "", "", "e"),
    ]
    path = write_csv(tmp_path / "categories.csv", HEADER, *rows)
    report = import_categories(path=path)
    assert [(row, column) for row, column, _ in found(report)] == [(n, "parent") for n in (2, 3, 4, 6)]
    assert "The category would stand above itself" in report.problems[0].message
    assert parents() == {"a": None, "b": None, "c": None, "d": "a", "e": None}


@pytest.mark.django_db
def test_a_circle_closed_by_the_file_leaves_what_was_there(tmp_path):
    top = make_category(notation="a")
    make_category(notation="b", parent=top)
    path = write_csv(tmp_path / "categories.csv", HEADER, ("a", "", "", "b"))
    report = import_categories(path=path)
    assert [(row, column) for row, column, _ in found(report)] == [(2, "parent")]
    assert parents() == {"a": None, "b": "a"}


@pytest.mark.django_db
def test_a_circle_that_was_there_before_is_no_fault_of_the_file(tmp_path):
    first = make_category(notation="a")
    second = make_category(notation="b", parent=first)
    Category.objects.filter(pk=first.pk).update(parent=second)
    path = write_csv(tmp_path / "categories.csv", HEADER, ("c", "", "", "a"), ("d", "", "", "d"))
    assert [(row, column) for row, column, _ in found(import_categories(path=path))] == [(3, "parent")]
    assert parents() == {"a": "b", "b": "a", "c": "a", "d": None}


@both_databases
def test_strictly_any_problem_keeps_nothing(database, tmp_path):
    path = write_csv(tmp_path / "categories.csv", HEADER, ("1", "", "", ""), ("2", "", "", "9"))
    with pytest.raises(ImportRefusedError, match=r"categories\.csv has 1 problem\."):
        import_categories(path=path, strict=True)
    assert Category.objects.count() == 0


@pytest.mark.django_db
def test_a_dry_run_keeps_nothing(tmp_path):
    path = write_csv(tmp_path / "categories.csv", HEADER, ("1", "", "", ""))
    assert counts(import_categories(path=path, dry_run=True)) == (1, 0, 0, 0)
    assert Category.objects.count() == 0


@pytest.mark.django_db
def test_a_file_without_notations_is_refused(tmp_path):
    with pytest.raises(UnusableFileError, match="no column notation"):
        import_categories(path=write_csv(tmp_path / "categories.csv", "label_en", ("Optics",)))


@pytest.mark.django_db
@settings(max_examples=50)
@given(
    before=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdef")),
    said=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdef"])), unique_by=lambda r: r[0]
    ),
)
def test_no_file_makes_a_category_stand_above_itself(tmp_path_factory, before, said):
    path = tmp_path_factory.mktemp("circles") / "categories.csv"
    with undone():
        write_csv(path, "notation,parent", *before.items())
        import_categories(path=path)
        write_csv(path, "notation,parent", *said)
        import_categories(path=path)
        above = parents()
        for start in above:
            seen, notation = set(), start
            while notation is not None:
                assert notation not in seen
                seen.add(notation)
                notation = above[notation]
