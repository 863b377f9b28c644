"""Commands of the classifier: output and exit codes."""

import json
import re
import subprocess
import sys

import pytest
from django.core.management import ManagementUtility

from classifier.models import Batch, ModelVersion, Recommendation, Suggestion
from classifier.services.registry.versions import load_version
from library.catalogue.models import Book
from tests.classifier.libraries import CATEGORISED, POOR, QUICK, UNCATEGORISED, make_library
from tests.factories import make_book, make_category

COMMANDS = ["train", "tune", "classify", "recommend", "evaluate", "demo"]
SETTINGS = [argument for setting in QUICK for argument in ("--set", setting)]
POOR_SETTINGS = [argument for setting in POOR for argument in ("--set", setting)]

ALL_HELP = f"""
import sys
from django.core.management import ManagementUtility
for command in {COMMANDS}:
    try:
        ManagementUtility(["manage.py", command, "--help"]).execute()
    except SystemExit as end:
        assert not end.code
print("loaded:", *sorted({{name.partition(".")[0] for name in sys.modules}}))
"""

CLASSIFY_RESULT = {
    *("batch", "version", "books", "suggestions", "abstained", "changed", "misfiled"),
    *("precision", "threshold", "output"),
}


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


def words(text):
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(run, command):
    code, said, _ = run(command, "--help")
    assert code == 0
    assert f"Example: manage.py {command} " in words(said)


def test_no_help_loads_what_only_learning_needs():
    said = subprocess.run([sys.executable, "-c", ALL_HELP], capture_output=True, text=True, check=True).stdout
    loaded = set(said.rpartition("loaded:")[2].split())
    assert "django" in loaded
    assert loaded.isdisjoint({"torch", "torchvision", "sklearn", "scipy", "numpy", "jieba"})


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
def test_json_output(run, tmp_path):
    truth = make_library()
    steps = [
        (["train", "--seed", "4", *SETTINGS], {"version", "active", "reason", "metrics"}),
        (
            ["classify", "--output", tmp_path / "c.csv"],
            CLASSIFY_RESULT,
        ),
        (
            ["recommend", "-n", "2", "--output", tmp_path / "r.csv"],
            {"borrowers", "recommendations", "updated_lists", "linked_titles", "output"},
        ),
        (["evaluate"], {"version", "active", "metrics"}),
    ]
    for arguments, keys in steps:
        code, said, error = run(*arguments, "--json")
        assert (code, error) == (0, "")
        assert said.endswith("}\n")
        assert json.loads(said).keys() == keys
    assert ModelVersion.objects.get().seed == 4
    assert Suggestion.objects.filter(rank=1).count() == len(truth)
    assert {row.rank for row in Recommendation.objects.all()} == {1, 2}
    assert (tmp_path / "c.csv").read_text().count("\n") == 1 + Suggestion.objects.count()
    assert (tmp_path / "r.csv").read_text().count("\n") == 1 + Recommendation.objects.count()


@pytest.mark.django_db
def test_train_prints_a_table(run):
    make_library()
    code, said, error = run("train", *SETTINGS)
    first = ModelVersion.objects.get().name
    assert (code, error) == (0, "")
    assert said.startswith("On 11 held-out books")
    for row in ("fused", "text", "loans", "majority"):
        assert f"│ {row} " in said
    assert "\nPrecision 0.90: " in said
    assert "│ probability " in said or "┃ probability " in said
    assert said.endswith(f"Version {first} (active). This is the first version.\n")
    _, said, _ = run("train", *POOR_SETTINGS)
    second = ModelVersion.objects.exclude(name=first).get().name
    assert f"Version {second} (not active). Macro-F1 is " in said
    assert run("promote_model", second)[1].startswith(f"{second} is now active.\nMacro-F1 is ")
    assert run("rollback_model")[1] == f"{first} is now active.\n"
    code, _, error = run("rollback_model")
    assert (code, error) == (
        1,
        f"CommandError: Cannot roll back: no version before {first} has usable files.\n",
    )
    assert run("prune_models", "--keep", "0")[1] == f"Deleted: {second}.\n"
    code, said, _ = run("promote_model", second, "--json")
    assert code == 1
    assert json.loads(said)["error"].startswith(f"The files of {second} were deleted on ")


@pytest.mark.django_db
def test_classify_and_recommend_print_results(run):
    make_library()
    run("train", *SETTINGS)
    version = ModelVersion.objects.get().name
    code, said, error = run("classify", "--precision", "0.5")
    assert (code, error) == (0, "")
    threshold = load_version(version=ModelVersion.objects.get()).threshold(precision=0.5)
    abstained = Suggestion.objects.filter(rank=1, probability__lt=threshold).count()
    assert said == (
        f"Batch: {Batch.objects.get().pk}\n"
        f"Version: {version}\nBooks: {UNCATEGORISED}\nSuggestions: {3 * UNCATEGORISED}\n"
        f"Low-confidence books: {abstained}\nChanged: New suggestion ({UNCATEGORISED})\n"
        f"Possible misfiles: 0\nTarget precision: 0.5\nConfidence threshold: {threshold:.4g}\n"
    )
    code, said, error = run("recommend")
    assert (code, error) == (0, "")
    assert said.startswith("Borrowers: 12\nRecommendations: 120\nLists updated: 12\nTitles compared: ")
    assert said.count("\n") == 4
    batch = Batch.objects.get()
    assert run("undo_reclassification", batch.pk)[1] == (
        f"Batch: {batch.pk}\nBooks restored: {UNCATEGORISED}\nNot restored, manually filed later: 0\n"
        "Not restored, reclassified later: 0\n"
    )


@pytest.mark.django_db
def test_warning_about_guesses(run):
    make_library()
    run("train", *SETTINGS)
    code, said, error = run("classify", "--precision", "0.999")
    assert code == 0
    assert f"Low-confidence books: {UNCATEGORISED}\nChanged: New suggestion ({UNCATEGORISED})\n" in said
    assert said.endswith("Target precision: 0.999\n")
    assert error == (
        "No probability reaches a precision of 0.999 on the held-out books, so all suggestions are guesses. "
        "Categorise more books, or choose a lower --precision.\n"
    )


@pytest.mark.django_db
def test_all_and_include_borrowed(run):
    make_library()
    run("train", *SETTINGS)
    run("classify", "--all")
    assert Suggestion.objects.filter(book__category__isnull=False).exists()
    run("recommend", "-n", "100")
    fewer = Recommendation.objects.count()
    run("recommend", "-n", "100", "--include-borrowed")
    assert Recommendation.objects.count() > fewer


@pytest.mark.django_db
def test_evaluate_named_version(run):
    make_library()
    run("train", *SETTINGS)
    run("train", *POOR_SETTINGS)
    good, poor = ModelVersion.objects.order_by("pk")
    assert run("evaluate")[1].endswith(f"Version {good.name} (active).\n")
    code, said, _ = run("evaluate", "--version", poor.name, "--json")
    result = json.loads(said)
    assert (code, result["version"], result["active"]) == (0, poor.name, False)
    assert result["metrics"]["fused"] == poor.metrics["fused"]


@pytest.mark.django_db
def test_notes_for_the_librarian_go_to_standard_error(run, monkeypatch, tmp_path):
    # Nothing kept from another day, and no way to fetch it.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    make_library(covers=True)
    _, said, error = run("train", *SETTINGS, "--set", "cover.pretrained=resnet18")
    (note,) = ModelVersion.objects.get().metrics["notes"]
    assert "The pretrained weights of resnet18 could not be loaded" in note
    assert error == f"{note}\n"
    assert note not in said


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
