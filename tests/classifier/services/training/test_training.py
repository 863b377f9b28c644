import pytest

from classifier.errors import ClassifierError, SettingError
from classifier.models import Batch, ModelVersion, Suggestion
from classifier.pipeline.storage.sealed_directory import UNCONFIRMED
from classifier.services.classification.reclassify import classify
from classifier.services.registry.promotion import promote
from classifier.services.registry.versions import folder_of, load_version
from classifier.services.runs.context import JobContext
from classifier.services.training.training import MAX_SEED, train
from library.catalogue.models import Book
from tests.classifier.factories import make_run, make_stored_version
from tests.classifier.full_disk import full_after
from tests.classifier.libraries import CATEGORISED, POOR, QUICK, UNCATEGORISED, make_library
from tests.classifier.version_files import damage
from tests.factories import NOW, make_book, make_category

pytestmark = pytest.mark.django_db


def active():
    return ModelVersion.objects.get(state="active").name


def nothing_kept(settings):
    left = list(settings.MODELS_DIR.iterdir()) if settings.MODELS_DIR.is_dir() else []
    return left == [] and not ModelVersion.objects.exists()


def test_first_version_is_active():
    make_library()
    result = train(JobContext(now=NOW), seed=5, settings=QUICK)
    version = ModelVersion.objects.get()
    assert (result["version"], result["active"]) == (version.name, True)
    assert result["reason"] == "This is the first version."
    assert (version.active, version.seed, version.created_at) == (True, 5, NOW)
    assert version.config["network"]["width"] == 16
    assert version.metrics == result["metrics"]
    assert folder_of(name=version.name).is_dir()


def test_what_was_learned_from_is_counted():
    make_library()
    make_book(title="Guessed", category=make_category(), category_source="model")
    metrics = train(JobContext(now=NOW), settings=QUICK)["metrics"]
    assert (metrics["books"], metrics["categorised"], metrics["categories"]) == (
        CATEGORISED + UNCATEGORISED + 1,
        CATEGORISED,
        3,
    )


def test_worse_candidate_stays_candidate():
    make_library()
    first = train(JobContext(now=NOW), settings=QUICK)
    second = train(JobContext(now=NOW), settings=POOR)
    good, poor = (result["metrics"]["fused"]["macro_f1"] for result in (first, second))
    assert poor < good - 0.01
    assert not second["active"]
    candidate = ModelVersion.objects.get(name=second["version"])
    books = candidate.comparison["books"]
    assert books == candidate.metrics["held_out"]
    assert second["reason"].startswith(
        f"Macro-F1 is {poor:.3f}, compared with {good:.3f} for {first['version']} on the same {books} test "
        "books new to both: lower by more than the tolerance of 0.01. "
    )
    assert (candidate.state, candidate.verdict["passed"], candidate.parent.name) == (
        "candidate",
        False,
        first["version"],
    )
    assert active() == first["version"]


def test_candidate_has_a_proposal():
    make_library()
    train(JobContext(now=NOW), settings=QUICK)
    assert not Batch.objects.exists()  # there was nothing to be changed
    classify(JobContext(now=NOW))
    before = list(Suggestion.objects.order_by("pk").values())
    name = train(JobContext(now=NOW), settings=POOR)["version"]
    batch = Batch.objects.get(model_version__name=name)
    assert (batch.state, batch.complete, batch.books) == ("proposed", True, UNCATEGORISED)
    assert list(Suggestion.objects.order_by("pk").values()) == before
    promote(version=ModelVersion.objects.get(name=name), now=NOW)
    assert classify(JobContext(now=NOW))["changed"] == batch.changed


def test_leftovers_of_a_killed_attempt_are_deleted():
    make_library()
    run, over = (make_run(kind="train", status=status) for status in ("running", "cancelled"))
    killed = [make_stored_version(trained_by=each) for each in (run, over)]
    for version in killed:
        (folder_of(name=version.name) / UNCONFIRMED).touch()
    kept = [
        make_stored_version(trained_by=make_run(kind="train", status="succeeded")),
        make_stored_version(trained_by=over, state="active", activated_at=NOW),
    ]
    name = train(JobContext(now=NOW, run=run), settings=QUICK)["version"]
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
    first = train(JobContext(now=NOW), settings=QUICK)
    second = train(JobContext(now=NOW), settings=QUICK)
    f1 = first["metrics"]["fused"]["macro_f1"]
    assert second["active"]
    books = second["metrics"]["held_out"]
    assert second["reason"] == (
        f"Macro-F1 is {f1:.3f}, compared with {f1:.3f} for {first['version']} on the same {books} test books "
        "new to both: within the tolerance of 0.01. Both versions are right on the same books. No category "
        f"is lost: this version predicts every category that {first['version']} gets right."
    )
    now_active = ModelVersion.objects.get(state="active")
    assert (now_active.name, now_active.previous.name) == (second["version"], first["version"])


def test_a_better_candidate_takes_over():
    make_library()
    train(JobContext(now=NOW), settings=POOR)
    second = train(JobContext(now=NOW), settings=QUICK)
    assert second["active"]
    assert active() == second["version"]


@pytest.mark.parametrize("setting", ["manual", "never"])
def test_first_version_waits_unless_promotion_is_automatic(setting, settings):
    settings.PROMOTION = setting
    make_library()
    result = train(JobContext(now=NOW), settings=QUICK)
    version = ModelVersion.objects.get()
    assert (result["active"], version.state, version.verdict["passed"]) == (False, "candidate", True)


def test_damaged_active_version_is_replaced_by_a_worse_one():
    make_library()
    first = train(JobContext(now=NOW), settings=QUICK)["version"]
    damage(first)
    second = train(JobContext(now=NOW), settings=POOR)
    assert second["active"]
    assert second["reason"] == (
        f"The active version {first} cannot be loaded, so any version that loads is an improvement. "
        f"{first}/model.json has been altered since it was written. Train again or restore {first}."
    )
    assert active() == second["version"]


def test_incomparable_candidate_waits():
    make_library()
    first = train(JobContext(now=NOW), settings=QUICK)["version"]
    held_out = load_version(version=ModelVersion.objects.get()).held_out
    books = Book.objects.filter(control_number__in=held_out)
    books.update(category=None, category_source="none")
    second = train(JobContext(now=NOW), settings=QUICK)
    assert not second["active"]
    assert second["reason"] == (
        f"This version cannot be compared with {first}, so you have to decide. There is no book that neither "
        "version has learned from. Categorise more books, then train again."
    )
    assert active() == first


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"settings": ["network.widht=16"]},
            "no setting “network.widht”. Settings: text.min_books,",
        ),
        ({"settings": ["width"]}, "“width” must have the form part.name=value"),
        ({"settings": ["network.width=wide"]}, "network.width takes int values, not “wide”."),
        (
            {"settings": ["network.fusion=product"]},
            "network.fusion must be one of sum, concat, gated, attention,",
        ),
        (
            {"settings": ["network.dropout=1"]},
            "network.dropout must be at least 0 and below 1; it is 1.",
        ),
        ({"settings": ["cover.pretrained=nonet"]}, "torchvision has no classification model “nonet”."),
        ({"seed": -1}, "The seed is -1; it must be from 0 to 4294967295."),
        ({"seed": MAX_SEED + 1}, "The seed is 4294967296; it must be from 0 to 4294967295."),
    ],
)
def test_invalid_setting_or_seed_is_named(wrong, says, settings):
    make_library()
    with pytest.raises(SettingError) as caught:
        train(JobContext(now=NOW), **wrong)
    assert says in caught.value.message
    assert nothing_kept(settings)


def test_the_largest_seed_is_taken():
    make_library()
    assert train(JobContext(now=NOW), seed=MAX_SEED, settings=QUICK)["active"]


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
            ("Almost every category has one book only; at least two categories need two books or more."),
        ),
    ],
    ids=["empty catalogue", "nine books", "one category", "one book each"],
)
def test_too_few_books_store_nothing(fill, says, settings):
    fill()
    with pytest.raises(ClassifierError) as caught:
        train(JobContext(now=NOW), settings=QUICK)
    assert caught.value.message == says
    assert nothing_kept(settings)


def test_empty_books_cannot_be_trained_on(settings):
    for category in [make_category(), make_category()] * 6:
        make_book(title="-", category=category)
    with pytest.raises(ClassifierError, match="No book has anything to learn from"):
        train(JobContext(now=NOW), settings=QUICK)
    assert nothing_kept(settings)


def test_unusable_models_folder_is_named(settings):
    make_library()
    settings.MODELS_DIR.write_text("in the way")
    with pytest.raises(ClassifierError, match=r"could not be saved to .*/models .*File exists"):
        train(JobContext(now=NOW), settings=QUICK)
    assert settings.MODELS_DIR.read_text() == "in the way"
    assert not ModelVersion.objects.exists()


def test_a_full_disk_leaves_no_half_written_model(settings):
    make_library()
    with full_after(1000), pytest.raises(ClassifierError, match=r"could not be saved to .*File too large"):
        train(JobContext(now=NOW), settings=QUICK)
    assert settings.MODELS_DIR.is_dir()
    assert nothing_kept(settings)
