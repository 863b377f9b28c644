"""Commands of the classifier: output and exit codes."""

import json
import subprocess
import sys

import pytest

from classifier.models import Batch, ModelVersion, Recommendation, Suggestion
from classifier.services.registry.versions import load_version
from tests.classifier.libraries import POOR, QUICK, UNCATEGORISED, make_library
from tests.classifier.management.output import words

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
