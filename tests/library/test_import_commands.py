"""The three import commands on the command line: what is printed where, and how they end."""

import json
import re

import pytest
from django.core.management import ManagementUtility
from django.db import connection

from library.catalogue.models import Book, Category
from library.circulation.models import Loan
from tests.factories import make_book
from tests.files import write_csv, write_image

COMMANDS = ["import_books", "import_categories", "import_loans"]


@pytest.fixture
def run(capsys):
    """Run ``manage.py`` with the arguments; return its exit code, standard output and standard error."""

    def manage(*arguments):
        code = 0
        try:
            ManagementUtility(["manage.py", *map(str, arguments)]).execute()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return manage


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_what_becomes_of_bad_rows(run, command):
    code, said, _ = run(command, "--help")
    said = re.sub(r"\s+", " ", said)
    assert code == 0
    assert f"Example: manage.py {command} " in said
    assert "Good rows are kept and bad ones named" in said
    assert "--strict" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_usage_ends_with_2(run, command):
    code, said, error = run(command)
    assert (code, said) == (2, "")
    assert "the following arguments are required: file" in error


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.django_db
def test_a_file_that_is_not_there_ends_with_1_and_a_sentence(run, tmp_path, command):
    code, said, error = run(command, tmp_path / "nowhere.csv")
    assert (code, said) == (1, "")
    assert error == "CommandError: nowhere.csv: cannot be read: No such file or directory.\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.django_db
def test_a_failure_is_a_result_for_machines_too(run, tmp_path, command):
    code, said, error = run(command, tmp_path / "nowhere.csv", "--json")
    assert code == 1
    assert json.loads(said) == {
        "error": "nowhere.csv: cannot be read: No such file or directory.",
        "file": "nowhere.csv",
        "row": None,
        "column": "",
    }
    assert "No such file" in error


@pytest.mark.django_db
def test_a_library_is_imported_from_three_files(run, tmp_path):
    write_image(tmp_path / "pictures" / "a.png")
    books = write_csv(tmp_path / "books.csv", "id,title,category,cover", ("7", "Optics", "535", "a.png"))
    categories = write_csv(tmp_path / "categories.csv", "notation,label_en", ("535", "Light"))
    loans = write_csv(
        tmp_path / "loans.csv", "borrower,book,borrowed_at,returned_at", ("P1", "7", "2024-01-01", "")
    )
    assert run("import_categories", categories, "--scheme", "ddc") == (
        0,
        "categories.csv: 1 created, 0 updated, 0 unchanged, 0 skipped.\n",
        "",
    )
    assert run("import_books", books, "--scheme", "ddc", "--covers", tmp_path / "pictures") == (
        0,
        "books.csv: 1 created, 0 updated, 0 unchanged, 0 skipped, 1 copies made, 1 covers made.\n",
        "",
    )
    assert run("import_loans", loans) == (
        0,
        "loans.csv: 1 created, 0 updated, 0 unchanged, 0 skipped, 1 borrowers made.\n",
        "",
    )
    assert Book.objects.get().category == Category.objects.get(scheme="ddc", label_en="Light")
    assert Loan.objects.get().copy.book.title == "Optics"


@pytest.mark.django_db
def test_problems_are_named_on_standard_error_and_the_good_rows_kept(run, tmp_path):
    books = write_csv(
        tmp_path / "books.csv", "id,title,year,shelf", ("7", "Optics", "19xx", ""), ("", "", "", "x")
    )
    code, said, error = run("import_books", books)
    assert code == 0
    assert said == "books.csv: 1 created, 0 updated, 0 unchanged, 1 skipped, 1 copies made.\n"
    assert error.splitlines() == [
        "books.csv: unknown columns, left out: shelf.",
        'books.csv, line 2, column year: "19xx" is no year up to '
        + re.search(r"up to (\d+)", error)[1]
        + "; left out.",
        "books.csv, line 3, column id: No id. The row is left out.",
    ]


@pytest.mark.django_db
def test_many_problems_are_cut_for_people_and_whole_for_machines(run, tmp_path):
    rows = [(f"{number}", "Title", "x") for number in range(30)]
    books = write_csv(tmp_path / "books.csv", "id,title,year", *rows)
    _, _, error = run("import_books", books, "--dry-run")
    assert len(error.splitlines()) == 21
    assert error.splitlines()[-1] == "... and 10 more problems; --json lists them all."
    code, said, error = run("import_books", books, "--dry-run", "--json")
    result = json.loads(said)
    assert (code, error) == (0, "")
    assert (result["created"], result["problem_count"], len(result["problems"])) == (30, 30, 30)
    assert result["problems"][29]["row"] == 31
    assert Book.objects.count() == 0


@pytest.mark.django_db
def test_strictly_nothing_is_kept_and_the_problems_are_named(run, tmp_path):
    make_book(control_number="7")
    loans = write_csv(
        tmp_path / "loans.csv",
        "borrower,book,borrowed_at,returned_at",
        ("P1", "7", "2024-01-02", "2024-01-01"),
        ("P1", "7", "2024-01-02", "2024-01-03"),
    )
    code, said, error = run("import_loans", loans, "--strict")
    assert (code, said) == (1, "")
    assert error.splitlines() == [
        "loans.csv, line 2, column returned_at: "
        "Returned 2024-01-01 00:00, before it was borrowed. The row is left out.",
        "CommandError: Nothing was imported: loans.csv has 1 problem. Mend them, or leave out --strict.",
    ]
    assert Loan.objects.count() == 0
    code, said, _ = run("import_loans", loans, "--strict", "--json")
    assert code == 1
    assert json.loads(said)["problems"][0]["column"] == "returned_at"


@pytest.mark.django_db
def test_a_dry_run_says_that_nothing_was_kept(run, tmp_path):
    books = write_csv(tmp_path / "books.csv", "id,title", ("7", "Optics"))
    code, said, _ = run("import_books", books, "--dry-run")
    assert code == 0
    assert said.startswith("books.csv: nothing kept, dry run: 1 created")
    assert Book.objects.count() == 0


def test_a_database_that_was_never_migrated_is_named_as_such(database, run, tmp_path):
    books = write_csv(tmp_path / "books.csv", "id,title", ("7", "Optics"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE catalogue_book RENAME TO elsewhere")
    try:
        code, said, error = run("import_books", books)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO catalogue_book")
    assert (code, said) == (1, "")
    assert "The database did not answer (no such table: catalogue_book)" in error
    assert "run manage.py migrate" in error
