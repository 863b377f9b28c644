"""The setting JIEBA_USER_DICT: read at start, part of every fingerprint."""

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from classifier.pipeline.records import BookRecord
from classifier.pipeline.text.segmentation import dictionary_key, use_dictionary
from classifier.selectors.records import all_books, catalogue
from classifier.services.classification.staleness import Fingerprints
from classifier.services.fingerprints import fingerprint_of
from classifier.services.runs.parameters import complete_parameters
from tests.classifier.factories import make_version
from tests.factories import NOW


@pytest.fixture
def start(tmp_path, settings):
    """Start the app with a dictionary; the one of the process is restored afterwards."""
    path = tmp_path / "words.txt"

    def ready(content):
        if content is not None:
            path.write_text(content, encoding="utf-8")
        settings.JIEBA_USER_DICT = path
        apps.get_app_config("classifier").ready()

    yield ready
    use_dictionary(None)


def test_dictionary_is_read_at_start(start):
    start("云图星河集\n")
    assert dictionary_key()


@pytest.mark.parametrize(
    ("content", "message"),
    [("云图\n星 河 海\n", r"words\.txt, line 2: "), (None, r"words\.txt cannot be read")],
)
def test_faulty_dictionary_stops_the_start(start, content, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        start(content)


@pytest.mark.django_db
def test_dictionary_changes_every_fingerprint(start):
    version = make_version()

    def fingerprints():
        loans = catalogue(all_books()).loans
        of_books = Fingerprints.of(
            version=version, classes=[], categories={}, precision=0.9, loans=loans, rejected={}
        )
        parameters = complete_parameters(kind="train", parameters={})
        run = fingerprint_of(kind="train", parameters=parameters, now=NOW)
        return {of_books.fingerprint(BookRecord(id="1", title="云图星河集")), run}

    without = fingerprints()
    start("云图星河集\n")
    first = fingerprints()
    start("云图星河集\n知识云图\n")
    assert len(without | first | fingerprints()) == 6
