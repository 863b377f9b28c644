"""``manage.py tune`` and its service."""

import json
import re
import shlex
import sys
from functools import partial
from itertools import pairwise

import pytest

from classifier.errors import ClassifierError, SettingError
from classifier.management.commands.tune import _verdict
from classifier.models import ModelVersion
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.services.runs.context import JobContext
from classifier.services.training.training import MAX_SEED, train
from classifier.services.training.tuning import tune
from tests.classifier.full_disk import full_after
from tests.classifier.libraries import make_library
from tests.factories import NOW, make_book

pytestmark = pytest.mark.django_db

#: Too few steps and terms to learn all, so that better settings can be found.
QUICK = (
    "network.epochs=1",
    "network.width=8",
    "text.max_terms=2",
    "training.folds=2",
    "sentence.model=none",
)
SETTINGS = [argument for setting in QUICK for argument in ("--set", setting)]


@pytest.fixture
def run(run):
    """Run ``manage.py tune`` with the arguments."""
    return partial(run, "tune")


def searches(data_folder):
    return list((data_folder / "tuning").glob("*"))


def test_help_shows_an_example(run):
    code, said, _ = run("--help")
    assert code == 0
    assert "Example: manage.py tune --trials 50 --timeout 3600" in re.sub(r"\s+", " ", said)


def test_the_line_printed_trains_what_was_measured(run, data_folder):
    make_library()
    code, said, error = run("--trials", 4, "--seed", 1, *SETTINGS, "--json")
    assert (code, error) == (0, "")
    result = json.loads(said)
    assert (result["seed"], result["trials"]["finished"], result["stopped"]) == (1, 4, "trials")
    assert not ModelVersion.objects.exists()
    command = shlex.split(result["command"])
    assert command == shlex.split(
        " ".join(["manage.py train --seed 1", *(f"--set '{s}'" for s in (*QUICK, *result["settings"]))])
    )
    assert result["settings"] != []
    settings = [word for flag, word in pairwise(command) if flag == "--set"]
    fused = train(JobContext(now=NOW), seed=1, settings=settings)["metrics"]["fused"]
    assert result["best"] == pytest.approx(fused | {"search_macro_f1": result["best"]["search_macro_f1"]})


def test_table_of_a_search(run):
    make_library()
    code, said, error = run("--trials", 4, "--seed", 1, *SETTINGS)
    assert (code, error) == (0, "")
    assert said.startswith("On 11 held-out books that the search has not seen")
    for row in ("defaults", "best found"):
        assert f"│ {row} " in said
    assert "\nTrials: 4, in this run: 4, stopped early: 0, failed: 0.\n" in said
    assert "\nBest found against defaults: macro-F1 " in said
    assert said.splitlines()[-1].startswith("To use it: manage.py train --seed 1 --set network.epochs=1 ")


def test_no_better_settings(run):
    make_library()
    _, said, _ = run("--trials", 1, *SETTINGS)
    assert said.endswith("\nNo trial was better than the defaults.\n")


@pytest.mark.parametrize(
    ("won", "lost", "p_value", "says"),
    [
        (9, 2, 0.0654, "p = 0.065). A difference of this size may be chance."),
        (30, 10, 0.002, "p = 0.002). That is better by more than chance."),
        (10, 30, 0.002, "p = 0.002). That is worse by more than chance: keep the defaults."),
    ],
)
def test_significance_of_the_gain(won, lost, p_value, says):
    gain = {"macro_f1": 0.0123, "accuracy": -0.5, "won": won, "lost": lost, "p_value": p_value}
    assert _verdict({"settings": ["svm.C=1"], "gain": gain}) == (
        "Best found against defaults: macro-F1 +0.012, accuracy -0.500; "
        f"books that only the best found gets right: {won}, only the defaults: {lost} (McNemar's test: {says}"
    )


def test_later_run_continues_and_fresh_restarts(data_folder):
    make_library()
    assert tune(JobContext(now=NOW), trials=1, settings=QUICK)["trials"]["new"] == 1
    assert tune(JobContext(now=NOW), trials=2, settings=QUICK)["trials"] == {
        "finished": 2,
        "pruned": 0,
        "failed": 0,
        "new": 1,
    }
    assert len(searches(data_folder)) == 1
    assert tune(JobContext(now=NOW), trials=1, settings=QUICK, fresh=True)["trials"]["new"] == 1


def test_changed_input_starts_a_new_search(data_folder):
    make_library()
    tune(JobContext(now=NOW), trials=1, settings=QUICK)
    tune(JobContext(now=NOW), trials=1, settings=QUICK, seed=1)
    tune(JobContext(now=NOW), trials=1, settings=[*QUICK, "svm.C=1"])
    make_book(title="New")
    assert tune(JobContext(now=NOW), trials=1, settings=QUICK)["trials"]["new"] == 1
    assert len(searches(data_folder)) == 4


def test_settings_given_are_fixed():
    make_library()
    given = [*QUICK, "svm.C=1", " network.hidden = 8"]
    result = tune(JobContext(now=NOW), trials=3, settings=given)
    assert not {"svm.C", "network.hidden", "network.width"} & {
        setting.partition("=")[0] for setting in result["settings"]
    }
    assert "--set svm.C=1 --set ' network.hidden = 8'" in result["command"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--trials", "0"], "0 trials search nothing; it must be 1 or more."),
        (["--trials", "x"], "argument --trials: invalid int value: 'x'"),
        (["--timeout", "0"], "The time is 0 seconds; it must be above 0."),
        (["--timeout", "nan"], "Invalid value for parameter timeout of a “tune” job: NaN."),
        (["--seed", "-1"], f"The seed is -1; it must be from 0 to {MAX_SEED}."),
        (["--set", "network.widht=1"], "There is no setting “network.widht”."),
        (["--set", "network.width=0"], "network.width must be above 0 and finite; it is 0."),
    ],
)
def test_wrong_usage_ends_with_2(run, arguments, says, data_folder):
    make_library()
    code, said, error = run(*arguments)
    assert (code, said) == (2, "")
    assert says in error
    assert searches(data_folder) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "0 of the books have a category; learning needs 10 at least."),
        (["--fresh"], "0 of the books have a category; learning needs 10 at least."),
    ],
)
def test_with_too_little_to_learn_from_it_ends_with_1(run, arguments, says, data_folder):
    assert run(*arguments) == (1, "", f"CommandError: {says}\n")
    code, said, _ = run(*arguments, "--json")
    assert (code, json.loads(said)["error"]) == (1, says)
    assert searches(data_folder) == []


def test_time_that_is_up_at_once_ends_with_1(run):
    make_library()
    code, said, error = run("--timeout", "1e-9", *SETTINGS)
    assert (code, said) == (1, "")
    assert error == ("CommandError: The defaults were not finished within 1e-09 seconds. Allow more time.\n")


def test_without_optuna_it_is_said_how_to_install_it(run, monkeypatch, data_folder):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, said, error = run()
    assert (code, said) == (1, "")
    assert error == (
        "CommandError: Tuning needs optuna, which cannot be loaded (import of optuna halted; None in "
        "sys.modules). Install it: pip install 'optuna>=4'\n"
    )
    assert searches(data_folder) == []


def test_interrupt_says_how_to_continue(run, monkeypatch):
    def pressed(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(FusionClassifier, "fit", pressed)
    make_library()
    assert run(*SETTINGS) == (
        130,
        "",
        "CommandError: Interrupted. Finished trials are stored; run the command again to continue.\n",
    )


def test_unusable_folder_is_named(data_folder):
    make_library()
    (data_folder / "tuning").write_text("in the way")
    with pytest.raises(ClassifierError, match=r"The search cannot be kept in .*/tuning: .*File exists"):
        tune(JobContext(now=NOW), trials=1, settings=QUICK)


def test_search_continues_after_a_full_disk(data_folder):
    make_library()
    tune(JobContext(now=NOW), trials=1, settings=QUICK)
    (file,) = searches(data_folder)
    with full_after(file.stat().st_size + 100), pytest.raises(ClassifierError, match="File too large"):
        tune(JobContext(now=NOW), trials=3, settings=QUICK)
    assert tune(JobContext(now=NOW), trials=2, settings=QUICK)["trials"]["new"] == 1


def test_seed_limit():
    make_library()
    assert tune(JobContext(now=NOW), trials=1, seed=MAX_SEED, settings=QUICK)["seed"] == MAX_SEED
    with pytest.raises(SettingError, match="The seed is 4294967296"):
        tune(JobContext(now=NOW), trials=1, seed=MAX_SEED + 1, settings=QUICK)
