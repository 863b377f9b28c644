"""Results of ``manage.py demo``, and of a second run."""

import csv
from collections import Counter

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Sum
from django.test import Client

from classifier.models import ItemNeighbours, ModelVersion, Recommendation, Suggestion
from library.analytics.models import CategoryDay
from library.catalogue.models import Book
from library.circulation.models import Loan
from library.people.models import Borrower
from tests.e2e.processes import manage

pytestmark = pytest.mark.xdist_group("demo")

MODALITIES = ["text", "cover", "loans"]


def true_categories(demo):
    """Return the category that each book was generated for."""
    with (demo.folder / "demo" / "true_categories.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["category"] for row in csv.DictReader(file)}


def row_counts():
    """Return the number of rows of each model, except of those that logging in writes."""
    excluded = {
        "sessions.Session",
        "admin.LogEntry",
        "people.AuditEntry",
        "people.AuditedRecord",
        "axes.AccessAttempt",
    }
    excluded |= {"rest.ApiToken", "rest.IdempotencyRecord"}
    models = [model for model in apps.get_models() if model._meta.label not in excluded]
    return {model._meta.label: model.objects.count() for model in models}


def test_demo_has_the_documented_size(finished_demo, open_database):
    with open_database(finished_demo.folder):
        assert (Book.objects.count(), Borrower.objects.count(), Loan.objects.count()) == (1000, 400, 12_000)
        sources = Counter(Book.objects.values_list("category_source", flat=True))
        assert sources == {"imported": 667, "none": 333}
        assert set(Book.objects.values_list("language", flat=True)) == {"en", "zh"}
        assert Book.objects.exclude(cover="").count() == 750
        for cover in Book.objects.exclude(cover="").values_list("cover", flat=True):
            assert (finished_demo.folder / "media" / cover).is_file()


def test_fused_model_beats_each_modality_and_the_majority(finished_demo, open_database):
    metrics = finished_demo.result["metrics"]
    fused = metrics["fused"]["accuracy"]
    assert fused > max(metrics[name]["accuracy"] for name in MODALITIES)
    assert min(metrics[name]["accuracy"] for name in MODALITIES) > metrics["majority"]["accuracy"]
    with open_database(finished_demo.folder):
        assert ModelVersion.objects.get(state="active").metrics == metrics


def test_first_of_three_suggestions_is_mostly_correct(finished_demo, open_database):
    truth = true_categories(finished_demo)
    with open_database(finished_demo.folder):
        suggested = Counter(Suggestion.objects.values_list("book__control_number", flat=True))
        uncategorised = Book.objects.filter(category=None).values_list("control_number", flat=True)
        assert suggested == dict.fromkeys(uncategorised, 3)
        best = Suggestion.objects.filter(rank=1).values_list("book__control_number", "category__notation")
        correct = sum(truth[number] == notation for number, notation in best)
    assert correct / 333 >= 0.8


def test_each_borrower_with_a_loan_has_ten_recommendations(finished_demo, open_database):
    with open_database(finished_demo.folder):
        borrowers = Loan.objects.values("borrower").distinct().count()
        assert Recommendation.objects.count() == 10 * borrowers
        assert ItemNeighbours.objects.count() == 1000


def test_printed_samples_are_saved(finished_demo, open_database):
    shown = finished_demo.result
    assert (len(shown["classifications"]), len(shown["recommendations"])) == (10, 10)
    truth = set(true_categories(finished_demo).values())
    with open_database(finished_demo.folder):
        for sample in shown["classifications"]:
            assert sample["truth"] in truth
            saved = Suggestion.objects.filter(
                rank=1, book__title=sample["title"], category__notation=sample["suggestion"]
            )
            assert saved.exists()
        for sample in shown["recommendations"]:
            saved = Recommendation.objects.filter(rank=1, borrower__card_number=sample["borrower"])
            row = saved.select_related("book", "because").get()
            assert (row.book.title, row.reason) == (sample["title"], sample["reason"])


def test_statistics_are_counted(demo, open_database):
    with open_database(demo.folder):
        client = Client()
        client.force_login(get_user_model().objects.get())
        counted = CategoryDay.objects.aggregate(Sum("checkouts"), Sum("checkins"))
        returned = Loan.objects.exclude(returned_at=None).count()
        assert counted == {"checkouts__sum": 12_000, "checkins__sum": returned}
        loans = client.get("/admin/analytics/statistics/").context["figures"][0]
    checkouts, _renewals, checkins = loans.data["series"]
    assert [checkouts["name"], checkins["name"]] == ["Checkouts", "Checkins"]
    assert sum(checkouts["values"]) > 1000
    assert sum(checkins["values"]) > 1000


def can_log_in(username, password):
    client = Client()
    client.post("/admin/login/", {"username": username, "password": password})
    return client.get("/admin/").status_code == 200


def test_second_run_adds_nothing_and_keeps_the_password(demo, open_database, settings):
    # Passwords are hashed as in production.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    username, password = demo.result["username"], demo.result["password"]
    with open_database(demo.folder):
        before, version = row_counts(), ModelVersion.objects.get().name
        assert can_log_in(username, password)
    again = manage(demo.folder, "demo", "--no-serve")
    assert (again.returncode, again.stderr) == (0, "")
    lines = again.stdout.splitlines()
    for heading in (
        "On 133 held-out books",
        "Ten books without a category",
        "The first recommendation of ten borrowers",
    ):
        assert heading in [line.strip() for line in lines]
    assert lines[-2:] == [
        f"Admin: http://127.0.0.1:8000/admin/  user {username}",
        "The demo user exists and keeps its password. Set a new one with manage.py changepassword "
        f"{username}.",
    ]
    with open_database(demo.folder):
        assert row_counts() == before
        assert ModelVersion.objects.get().name == version
        assert can_log_in(username, password)
        assert get_user_model().objects.get().is_superuser
