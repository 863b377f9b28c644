import json

import pytest
from django.core.management import CommandError, call_command

from classifier.models import ItemNeighbours, Recommendation
from classifier.services.recommendation.evaluation import evaluate_recommender
from library.circulation.models import Loan
from tests.classifier.libraries import make_library

pytestmark = pytest.mark.django_db


def test_backtest_has_a_popularity_baseline(capsys):
    make_library()
    call_command("evaluate_recommender", "--json", "--share", "0.7")
    found = json.loads(capsys.readouterr().out)
    assert found["learned_from"] + found["looked_at"] == Loan.objects.count()
    assert set(found["scores"]) == set(found["shown"]) == {"ours", "popularity"}
    new = found["scores"]["ours"]["new titles"]
    known, cold = (found["scores"]["ours"][name] for name in ("of known borrowers", "of new borrowers"))
    assert new["borrowers"] == known["borrowers"] + cold["borrowers"] > 0
    assert 0 < found["shown"]["ours"]["coverage"] <= 1
    assert not Recommendation.objects.exists()
    assert not ItemNeighbours.objects.exists()
    call_command("evaluate_recommender", "--share", "0.7")
    table = capsys.readouterr().out
    assert f"{new['ndcg']:.4f}" in table
    assert "never borrowed titles" in table


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--share", "1"], "The share is 1; it must be above 0 and below 1."),
        (["-n", "0"], "A list of 0 titles shows nothing"),
        (["--set", "recommend.penalty=0"], "recommend.penalty must be above 0"),
        ([], "There are too few loans at different times"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(options, words):
    with pytest.raises(CommandError, match=words):
        call_command("evaluate_recommender", *options)


def test_the_same_library_gives_the_same_figures():
    make_library()
    assert evaluate_recommender(share=0.6) == evaluate_recommender(share=0.6)
