"""Feature cache of the installation, in training and classification."""

import shutil
from datetime import timedelta

import pytest

from classifier.errors import ClassifierError
from classifier.models import ModelVersion, Suggestion
from classifier.services.classification.reclassify import classify
from classifier.services.feature_cache import feature_cache
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.catalogue.models import Book
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW
from tests.pipeline.sentence_encoders import make_encoder

pytestmark = pytest.mark.django_db


@pytest.fixture
def caches(monkeypatch) -> list:
    """Every cache that the services open, to read its counters."""
    opened = []

    def opening():
        opened.append(feature_cache())
        return opened[-1]

    for service in ("training.training", "registry.versions", "recommendation.links"):
        monkeypatch.setattr(f"classifier.services.{service}.feature_cache", opening)
    return opened


def misses(caches) -> int:
    """Return the number of features computed since the last call."""
    found = sum(cache.misses for cache in caches)
    caches.clear()
    return found


def test_features_are_computed_once(caches):
    make_library(covers=True)
    first = train(JobContext(now=NOW), settings=QUICK)
    assert misses(caches) > Book.objects.count() / 2
    second = train(JobContext(now=NOW + timedelta(days=7)), settings=QUICK)
    classify(JobContext(now=NOW))
    recommend(JobContext(now=NOW))
    assert misses(caches) == 0
    assert second["metrics"] == first["metrics"]
    Book.objects.filter(pk=Book.objects.order_by("pk")[0].pk).update(description="All new")
    train(JobContext(now=NOW), settings=QUICK)
    assert misses(caches) == 1


def test_cache_may_be_deleted(data_folder):
    make_library()
    first = train(JobContext(now=NOW), settings=QUICK)
    assert [path.name for path in (data_folder / "cache").iterdir()] == ["features.sqlite3"]
    shutil.rmtree(data_folder / "cache")
    assert train(JobContext(now=NOW), settings=QUICK)["metrics"] == first["metrics"]


def test_unusable_cache_is_a_note(data_folder):
    make_library()
    (data_folder / "cache").write_text("in the way")
    (note,) = train(JobContext(now=NOW), settings=QUICK)["metrics"]["notes"]
    assert note.startswith(f"The feature cache {data_folder}/cache/features.sqlite3 cannot be used (")
    classify(JobContext(now=NOW))
    assert Suggestion.objects.exists()


def test_missing_encoder_is_named(tmp_path):
    make_library()
    encoder = make_encoder(tmp_path / "encoder")
    result = train(JobContext(now=NOW), settings=[*QUICK, f"sentence.model={encoder}"])
    assert "sentence" in result["metrics"]
    classify(JobContext(now=NOW))
    shutil.rmtree(encoder)
    shutil.rmtree(feature_cache().path.parent)
    ModelVersion.objects.update(name="gone")  # as another process, which has not loaded it yet
    (tmp_path / "models" / result["version"]).rename(tmp_path / "models" / "gone")
    with pytest.raises(ClassifierError) as caught:
        classify(JobContext(now=NOW))
    assert caught.value.message == (
        "This model needs its sentence encoder. "
        f"There is no folder {encoder} with a sentence encoder. "
        "Put it back, or train again with another one or none (sentence.model)."
    )
