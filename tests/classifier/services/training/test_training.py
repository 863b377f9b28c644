import json
from itertools import pairwise

import numpy as np
import pytest

from classifier.errors import ClassifierError, SettingError
from classifier.models import ModelVersion, Reclassification, Suggestion
from classifier.pipeline.storage.sealed_directory import UNCONFIRMED
from classifier.selectors.records import all_books, catalogue
from classifier.services.classification.reclassify import classify
from classifier.services.registry.promotion import promote
from classifier.services.registry.versions import folder_of, load_version
from classifier.services.training.training import MAX_SEED, evaluate, train
from library.catalogue.models import Book
from tests.classifier.factories import make_run, make_stored_version
from tests.classifier.full_disk import full_after
from tests.classifier.libraries import CATEGORISED, POOR, QUICK, UNCATEGORISED, make_library
from tests.factories import NOW, make_book, make_category

pytestmark = pytest.mark.django_db


def active():
    return ModelVersion.objects.get(state="active").name


def manifest(name):
    return json.loads((folder_of(name=name) / "manifest.json").read_text())


def damage(name):
    """Change one byte of a model."""
    file = folder_of(name=name) / "model.json"
    file.write_bytes(file.read_bytes().replace(b"0", b"1", 1))


def nothing_kept(settings):
    left = list(settings.MODELS_DIR.iterdir()) if settings.MODELS_DIR.is_dir() else []
    return left == [] and not ModelVersion.objects.exists()


def test_the_first_version_becomes_active_and_keeps_how_it_was_made():
    make_library()
    result = train(now=NOW, seed=5, settings=QUICK)
    version = ModelVersion.objects.get()
    assert (result["version"], result["active"]) == (version.name, True)
    assert result["reason"] == "It is the first version."
    assert (version.active, version.seed, version.created_at) == (True, 5, NOW)
    assert version.config["network"]["width"] == 16
    assert version.metrics == result["metrics"]
    assert folder_of(name=version.name).is_dir()


def test_what_was_learned_from_is_counted():
    make_library()
    make_book(title="Guessed", category=make_category(), category_source="model")
    metrics = train(now=NOW, settings=QUICK)["metrics"]
    assert (metrics["books"], metrics["categorised"], metrics["categories"]) == (
        CATEGORISED + UNCATEGORISED + 1,
        CATEGORISED,
        3,
    )


def test_a_worse_candidate_is_kept_but_does_not_take_over():
    make_library()
    first = train(now=NOW, settings=QUICK)
    second = train(now=NOW, settings=POOR)
    good, poor = (result["metrics"]["fused"]["macro_f1"] for result in (first, second))
    assert poor < good - 0.01
    assert not second["active"]
    candidate = ModelVersion.objects.get(name=second["version"])
    books = candidate.comparison["books"]
    assert books == candidate.metrics["held_out"]
    assert second["reason"].startswith(
        f"Macro-F1 is {poor:.3f}, against {good:.3f} of {first['version']} on the same {books} books that "
        "neither has learned from: worse by more than the tolerance of 0.01. "
    )
    assert (candidate.state, candidate.verdict["passed"], candidate.parent.name) == (
        "candidate",
        False,
        first["version"],
    )
    assert active() == first["version"]


def test_what_a_candidate_would_change_is_listed_before_anybody_decides():
    make_library()
    train(now=NOW, settings=QUICK)
    assert not Reclassification.objects.exists()  # there was nothing to be changed
    classify(now=NOW)
    before = list(Suggestion.objects.order_by("pk").values())
    name = train(now=NOW, settings=POOR)["version"]
    batch = Reclassification.objects.get(model_version__name=name)
    assert (batch.state, batch.complete, batch.books) == ("proposed", True, UNCATEGORISED)
    assert list(Suggestion.objects.order_by("pk").values()) == before
    promote(version=ModelVersion.objects.get(name=name), now=NOW)
    assert classify(now=NOW)["changed"] == batch.changed


def test_what_an_attempt_left_that_was_killed_is_dropped_by_the_next():
    make_library()
    run, over = (make_run(kind="train", status=status) for status in ("running", "cancelled"))
    killed = [make_stored_version(trained_by=each) for each in (run, over)]
    for version in killed:
        (folder_of(name=version.name) / UNCONFIRMED).touch()
    kept = [
        make_stored_version(trained_by=make_run(kind="train", status="succeeded")),
        make_stored_version(trained_by=over, state="active", activated_at=NOW),
    ]
    name = train(now=NOW, settings=QUICK, run=run)["version"]
    assert set(ModelVersion.objects.values_list("name", flat=True)) == {*(v.name for v in kept), name}
    assert [folder_of(name=version.name).is_dir() for version in (*killed, *kept)] == [
        False,
        False,
        True,
        True,
    ]
    assert ModelVersion.objects.get(name=name).trained_by == run


def test_an_equal_candidate_takes_over():
    make_library()
    first = train(now=NOW, settings=QUICK)
    second = train(now=NOW, settings=QUICK)
    f1 = first["metrics"]["fused"]["macro_f1"]
    assert second["active"]
    books = second["metrics"]["held_out"]
    assert second["reason"] == (
        f"Macro-F1 is {f1:.3f}, against {f1:.3f} of {first['version']} on the same {books} books that "
        "neither has learned from: no worse than by the tolerance of 0.01. Both are right on the same books. "
        f"No category is lost: it answers with every one that {first['version']} gets right."
    )
    now_active = ModelVersion.objects.get(state="active")
    assert (now_active.name, now_active.previous.name) == (second["version"], first["version"])


def test_a_better_candidate_takes_over():
    make_library()
    train(now=NOW, settings=POOR)
    second = train(now=NOW, settings=QUICK)
    assert second["active"]
    assert active() == second["version"]


@pytest.mark.parametrize("setting", ["manual", "never"])
def test_where_a_person_is_to_decide_even_the_first_version_waits(setting, settings):
    settings.PROMOTION = setting
    make_library()
    result = train(now=NOW, settings=QUICK)
    version = ModelVersion.objects.get()
    assert (result["active"], version.state, version.verdict["passed"]) == (False, "candidate", True)


def test_a_damaged_active_version_is_replaced_even_by_a_worse_one():
    make_library()
    first = train(now=NOW, settings=QUICK)["version"]
    damage(first)
    second = train(now=NOW, settings=POOR)
    assert second["active"]
    assert second["reason"] == (
        f"The active version {first} cannot be loaded, so any that can be is better. {first}/model.json has "
        f"been altered since it was written. Train again or restore {first}."
    )
    assert active() == second["version"]


def test_where_no_book_is_fair_to_both_a_person_decides():
    make_library()
    first = train(now=NOW, settings=QUICK)["version"]
    held_out = load_version(version=ModelVersion.objects.get()).held_out
    books = Book.objects.filter(control_number__in=held_out)
    books.update(category=None, category_source="none")
    second = train(now=NOW, settings=QUICK)
    assert not second["active"]
    assert second["reason"] == (
        f"It cannot be compared with {first}, so a person has to decide. There is no book that neither "
        "version has learned from. Categorise more books, and train again."
    )
    assert active() == first


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"settings": ["network.widht=16"]},
            "no setting “network.widht”. Settings: text.min_books,",
        ),
        ({"settings": ["width"]}, "“width” is not of the form part.name=value"),
        ({"settings": ["network.width=wide"]}, "network.width takes int values, not “wide”."),
        ({"settings": ["svm.kernel=cubic"]}, "svm.kernel can be linear, rbf, not “cubic”."),
        ({"settings": ["network.dropout=1"]}, "network.dropout is a share: 0 or more and below 1; it is 1."),
        ({"settings": ["cover.pretrained=nonet"]}, "torchvision has no classification model “nonet”."),
        ({"seed": -1}, "The seed is -1; it must be from 0 to 4294967295."),
        ({"seed": MAX_SEED + 1}, "The seed is 4294967296; it must be from 0 to 4294967295."),
    ],
)
def test_a_wrong_setting_or_seed_is_named_and_nothing_kept(wrong, says, settings):
    make_library()
    with pytest.raises(SettingError) as caught:
        train(now=NOW, **wrong)
    assert says in caught.value.message
    assert nothing_kept(settings)


def test_the_largest_seed_is_taken():
    make_library()
    assert train(now=NOW, seed=MAX_SEED, settings=QUICK)["active"]


def books_in(*categories):
    for category in categories:
        make_book(title=f"Title {category.notation}", category=category)


@pytest.mark.parametrize(
    ("fill", "says"),
    [
        (lambda: None, "0 of the books have a category; learning needs 10 at least."),
        (
            lambda: books_in(*[make_category()] * 5, *[make_category()] * 4),
            "9 of the books have a category; learning needs 10 at least.",
        ),
        (
            lambda: books_in(*[make_category(notation="530")] * 12),
            "All categorised books are in one category, local/530; learning needs two.",
        ),
        (
            lambda: books_in(*[make_category() for _ in range(12)]),
            "Almost every category has one book only; at least two categories need two books or more.",
        ),
    ],
    ids=["empty catalogue", "nine books", "one category", "one book each"],
)
def test_with_too_little_to_learn_from_nothing_is_kept(fill, says, settings):
    fill()
    with pytest.raises(ClassifierError) as caught:
        train(now=NOW, settings=QUICK)
    assert caught.value.message == says
    assert nothing_kept(settings)


def test_books_without_text_cover_or_loan_teach_nothing(settings):
    for category in [make_category(), make_category()] * 6:
        make_book(title="-", category=category)
    with pytest.raises(ClassifierError, match="No book has anything to learn from"):
        train(now=NOW, settings=QUICK)
    assert nothing_kept(settings)


def test_a_models_folder_that_cannot_be_made_is_named(settings):
    make_library()
    settings.MODELS_DIR.write_text("in the way")
    with pytest.raises(ClassifierError, match=r"could not be written to .*/models: .*File exists"):
        train(now=NOW, settings=QUICK)
    assert settings.MODELS_DIR.read_text() == "in the way"
    assert not ModelVersion.objects.exists()


def test_a_full_disk_leaves_no_half_written_model(settings):
    make_library()
    with full_after(1000), pytest.raises(ClassifierError, match=r"could not be written to .*File too large"):
        train(now=NOW, settings=QUICK)
    assert settings.MODELS_DIR.is_dir()
    assert nothing_kept(settings)


def trained(seed):
    name = train(now=NOW, seed=seed, settings=QUICK)["version"]
    return load_version(version=ModelVersion.objects.get(name=name)), manifest(name)["files"]


def test_one_seed_gives_one_model():
    make_library(covers=True)
    books = catalogue(all_books())
    (first, files), (second, same_files) = trained(3), trained(3)
    # skops packs a time of day into its files.
    differing = {name for name in files if files[name] != same_files[name]}
    assert {name.partition(".")[2] for name in differing} <= {"skops"}
    assert np.array_equal(first.predict_proba(books), second.predict_proba(books))


def test_another_seed_gives_another_model():
    make_library()
    books = catalogue(all_books())
    (first, _), (second, _) = trained(1), trained(2)
    assert not np.array_equal(first.predict_proba(books), second.predict_proba(books))


def test_evaluating_gives_exactly_the_stored_figures():
    make_library(covers=True)
    train(now=NOW, settings=QUICK)
    version = ModelVersion.objects.get()
    result = evaluate(version=version)
    assert (result["version"], result["active"]) == (version.name, True)
    about_training = {"books", "categorised", "categories", "notes"}
    assert result["metrics"] == {k: v for k, v in version.metrics.items() if k not in about_training}
    assert {"fused", "text", "cover", "loans", "majority"} < result["metrics"].keys()


def test_evaluating_a_damaged_version_names_the_file():
    make_library()
    name = train(now=NOW, settings=QUICK)["version"]
    damage(name)
    with pytest.raises(ClassifierError, match=f"{name}/model.json has been altered") as caught:
        evaluate(version=ModelVersion.objects.get())
    assert caught.value.extra == {"file": "model.json"}


def test_each_phase_of_training_goes_forward_and_ends():
    make_library()
    steps: dict[str, list[tuple[int, int]]] = {}
    train(now=NOW, settings=QUICK, progress=lambda phase, *step: steps.setdefault(phase, []).append(step))
    assert {"learning", "learning with the held-out books"} <= steps.keys()
    for phase in steps.values():
        assert all(before[0] <= after[0] for before, after in pairwise(phase))
        assert phase[-1][0] == phase[-1][1]
