"""What ``manage.py demo`` leaves behind, and what a second run adds."""

import csv
from collections import Counter

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Sum
from django.test import Client

from classifier.models import ModelVersion, Recommendation, Suggestion, TitleLinks
from library.analytics.models import CategoryDay
from library.catalogue.models import Book
from library.circulation.models import Loan
from library.people.models import Borrower
from tests.e2e.processes import manage

pytestmark = pytest.mark.xdist_group("demo")

MODALITIES = ["text", "cover", "loans"]


def answers(demo):
    """The category each book was drawn for."""
    with (demo.folder / "demo" / "answers.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["category"] for row in csv.DictReader(file)}


def rows():
    """How many rows of each kind there are, but for those that signing in leaves."""
    signing_in = {"sessions.Session", "admin.LogEntry", "people.AuditEntry", "axes.AccessAttempt"}
    signing_in |= {"rest.ApiToken", "rest.KeptAnswer"}
    kinds = [model for model in apps.get_models() if model._meta.label not in signing_in]
    return {model._meta.label: model.objects.count() for model in kinds}


def test_a_library_of_the_promised_size_is_there(finished_demo, opened):
    with opened(finished_demo.folder):
        assert (Book.objects.count(), Borrower.objects.count(), Loan.objects.count()) == (1000, 400, 12_000)
        sources = Counter(Book.objects.values_list("category_source", flat=True))
        assert sources == {"imported": 667, "none": 333}
        assert set(Book.objects.values_list("language", flat=True)) == {"en", "zh"}
        assert Book.objects.exclude(cover="").count() == 750
        for cover in Book.objects.exclude(cover="").values_list("cover", flat=True):
            assert (finished_demo.folder / "media" / cover).is_file()


def test_the_fused_model_beats_each_modality_and_the_majority(finished_demo, opened):
    metrics = finished_demo.result["metrics"]
    fused = metrics["fused"]["accuracy"]
    assert fused > max(metrics[name]["accuracy"] for name in MODALITIES)
    assert min(metrics[name]["accuracy"] for name in MODALITIES) > metrics["majority"]["accuracy"]
    with opened(finished_demo.folder):
        assert ModelVersion.objects.get(state="active").metrics == metrics


def test_each_uncategorised_book_has_three_suggestions_and_the_first_is_mostly_right(finished_demo, opened):
    truth = answers(finished_demo)
    with opened(finished_demo.folder):
        suggested = Counter(Suggestion.objects.values_list("book__control_number", flat=True))
        uncategorised = Book.objects.filter(category=None).values_list("control_number", flat=True)
        assert suggested == dict.fromkeys(uncategorised, 3)
        best = Suggestion.objects.filter(rank=1).values_list("book__control_number", "category__notation")
        right = sum(truth[number] == notation for number, notation in best)
    assert right / 333 >= 0.8


def test_each_borrower_with_a_loan_has_ten_recommendations(finished_demo, opened):
    with opened(finished_demo.folder):
        readers = Loan.objects.values("borrower").distinct().count()
        assert Recommendation.objects.count() == 10 * readers
        assert TitleLinks.objects.count() == 1000


def test_the_samples_shown_are_what_is_kept(finished_demo, opened):
    shown = finished_demo.result
    assert (len(shown["classifications"]), len(shown["recommendations"])) == (10, 10)
    truth = set(answers(finished_demo).values())
    with opened(finished_demo.folder):
        for sample in shown["classifications"]:
            assert sample["truth"] in truth
            kept = Suggestion.objects.filter(
                rank=1, book__title=sample["title"], category__notation=sample["suggestion"]
            )
            assert kept.exists()
        for sample in shown["recommendations"]:
            kept = Recommendation.objects.filter(rank=1, borrower__card_number=sample["borrower"])
            row = kept.select_related("book", "because").get()
            assert (row.book.title, row.reason) == (sample["title"], sample["reason"])


def test_the_statistics_are_counted(demo, opened):
    with opened(demo.folder):
        client = Client()
        client.force_login(get_user_model().objects.get())
        counted = CategoryDay.objects.aggregate(Sum("checkouts"), Sum("checkins"))
        returned = Loan.objects.exclude(returned_at=None).count()
        assert counted == {"checkouts__sum": 12_000, "checkins__sum": returned}
        loans = client.get("/admin/analytics/statistics/").context["figures"][0]
    checkouts, _renewals, checkins = loans.drawing["series"]
    assert [checkouts["name"], checkins["name"]] == ["Checkouts", "Checkins"]
    assert sum(checkouts["values"]) > 1000
    assert sum(checkins["values"]) > 1000


def may_enter(username, password):
    client = Client()
    client.post("/admin/login/", {"username": username, "password": password})
    return client.get("/admin/").status_code == 200


def test_a_second_run_adds_nothing_and_gives_a_new_password(demo, opened, settings):
    # The password was hashed as in real use, not as in tests.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    username, password = demo.result["username"], demo.result["password"]
    with opened(demo.folder):
        before, version = rows(), ModelVersion.objects.get().name
        assert may_enter(username, password)
    again = manage(demo.folder, "demo", "--no-serve")
    assert (again.returncode, again.stderr) == (0, "")
    said = again.stdout.splitlines()
    for heading in (
        "On 133 held-out books",
        "Ten books without a category",
        "The first recommendation of ten borrowers",
    ):
        assert heading in [line.strip() for line in said]
    way_in, _, new_password = said[-1].rpartition(" ")
    assert way_in == f"Admin: http://127.0.0.1:8000/admin/  user {username}  password"
    with opened(demo.folder):
        assert rows() == before
        assert ModelVersion.objects.get().name == version
        assert not may_enter(username, password)
        assert may_enter(username, new_password)
        assert get_user_model().objects.get().is_superuser
