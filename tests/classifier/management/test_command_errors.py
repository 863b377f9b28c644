"""Errors of the classifier's commands: messages and exit codes."""

import json

import pytest

from classifier.models import ModelVersion
from library.catalogue.models import Book
from tests.classifier.libraries import CATEGORISED, UNCATEGORISED, make_library
from tests.classifier.management.output import words
from tests.factories import make_book, make_category


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["train", "--seed", "-1"], "The seed is -1; it must be from 0 to 4294967295."),
        (["train", "--set", "network.widht=1"], "There is no setting “network.widht”. Settings: text."),
        (["train", "--set", "network.width=0"], "network.width must be above 0 and finite; it is 0."),
        (["classify", "--output"], "argument --output: expected one argument"),
        (["classify", "--precision", "1"], "The precision is 1; it must be above 0 and below 1."),
        (["classify", "--precision", "high"], "argument --precision: invalid float value: 'high'"),
        (["recommend", "-n", "0"], "-n must be 1 or more."),
        (["evaluate", "--version"], "argument --version: expected one argument"),
        (["demo", "--quick"], "unrecognized arguments: --quick"),
    ],
)
@pytest.mark.django_db
def test_wrong_usage_ends_with_2(run, arguments, says, settings):
    make_library()
    code, said, error = run(*arguments)
    assert (code, said) == (2, "")
    assert says in words(error)
    assert not settings.MODELS_DIR.exists()


def nothing():
    """An empty catalogue."""


def one_category():
    category = make_category(notation="530")
    for _ in range(12):
        make_book(category=category)


def one_book_each():
    for _ in range(12):
        make_book(category=make_category())


BAD = [
    (nothing, "train", "0 of the books have a category; learning needs 10 at least."),
    (one_category, "train", "All categorised books are in one category, local/530; learning needs two."),
    (
        one_book_each,
        "train",
        ("Almost every category has one book only; at least two categories need two books or more."),
    ),
    (nothing, "classify", "No trained model is available. Train one first: manage.py train"),
    (
        nothing,
        "recommend",
        "The catalogue is empty. Import books first: manage.py import_books FILE",
    ),
    (nothing, "evaluate", "No trained model is available. Train one first: manage.py train"),
]


@pytest.mark.parametrize(("fill", "command", "says"), BAD)
@pytest.mark.django_db
def test_errors_exit_with_1(run, fill, command, says, settings):
    fill()
    assert run(command) == (1, "", f"CommandError: {says}\n")
    code, said, error = run(command, "--json")
    assert (code, error) == (1, f"CommandError: {says}\n")
    assert json.loads(said)["error"] == says
    assert not settings.MODELS_DIR.exists()
    assert not ModelVersion.objects.exists()


@pytest.mark.django_db
def test_a_version_that_is_not_there_is_named(run):
    assert run("evaluate", "--version", "nope") == (
        1,
        "",
        "CommandError: There is no model version nope. Newest: none.\n",
    )


@pytest.mark.django_db
def test_a_result_that_cannot_be_written_ends_with_1(run, tmp_path):
    make_library()
    file = tmp_path / "nowhere" / "recommendations.csv"
    code, said, error = run("recommend", "--output", file)
    assert (code, said) == (1, "")
    assert error == f"CommandError: {file} cannot be written: No such file or directory.\n"


@pytest.mark.django_db
def test_the_demo_is_not_mixed_into_a_library(run, data_folder):
    make_library()
    says = (
        f"{data_folder} holds a library already, and the demo must not be mixed into it. "
        "Set LIBRARY_DATA_DIR (and DATABASE_URL, if you use it) to an empty place."
    )
    code, said, error = run("demo", "--no-serve", "--json")
    assert (code, json.loads(said), error) == (1, {"error": says}, f"CommandError: {says}\n")
    assert Book.objects.count() == CATEGORISED + UNCATEGORISED
    assert list(data_folder.iterdir()) == []
