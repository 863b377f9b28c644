import json
from xml.etree import ElementTree

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier.pipeline.records import LoanTable
from classifier.services.recommendation import retention_report
from library.circulation.models import CoBorrowing, Loan
from tests.classifier.libraries import QUICK, make_library
from tests.factories import make_book


def table(*loans):
    """Loans as (borrower, book) in order, each a second later."""
    borrower, book = (np.array(column, np.int32) for column in zip(*loans, strict=True))
    return LoanTable(
        book_ids=["a", "b", "c"],
        book=book,
        borrower=borrower,
        borrowed_at=np.arange(len(loans), dtype=np.int64),
        first_synthetic=int(borrower.max()) + 1,
    )


def test_only_a_last_loan_of_a_new_title_is_held_out():
    loans = table((0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 0), (3, 2), (3, 0))
    assert np.flatnonzero(retention_report._last_loans(loans)).tolist() == [1, 7]


def test_anonymised_loans_keep_pairs(settings):
    settings.CO_BORROWING_MIN = 2
    loans = table((0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0), (3, 1))
    returned = np.array([0, 0, 0, 0, 0, 0, np.inf, np.inf])
    cut, pairs = retention_report._anonymised(loans, returned, np.full(8, 1.0), 0)
    assert pairs == 1
    had = [(int(who), cut.book_ids[book]) for who, book in zip(cut.borrower, cut.book, strict=True)]
    # The last two are out; two of the three who had a and b are forgotten, and who had b and c was alone.
    assert had == [(3, "a"), (3, "b"), (4, "a"), (4, "b"), (5, "a"), (5, "b")]
    assert cut.popularity.tolist() == loans.popularity.tolist() == [3, 4, 1]
    assert retention_report._anonymised(loans, returned, np.full(8, 1.0), None) == (loans, 0)


@pytest.mark.django_db
def test_report_writes_only_its_chart(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(retention_report, "MONTHS", (None, 0))
    make_library()
    before = list(Loan.objects.values())
    picture = tmp_path / "retention.svg"
    options = [f"--set={setting}" for setting in QUICK]
    call_command("retention_report", "--json", "--output", str(picture), *options)
    result = json.loads(capsys.readouterr().out)
    everything, nothing = result["settings"]
    assert (everything["months"], everything["loans"], everything["pairs"]) == (None, len(before), 0)
    assert (nothing["months"], nothing["loans"], nothing["hit_rate"]) == (0, 0, 0)
    assert everything["hit_rate"] > 0
    assert result["borrowers"] > 0
    assert all(0 <= row[key] <= 1 for row in result["settings"] for key in retention_report.METRICS)
    assert list(Loan.objects.values()) == before
    assert not CoBorrowing.objects.exists()
    drawing = ElementTree.parse(picture).getroot()
    lines = drawing.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [2] * len(retention_report.METRICS)


@pytest.mark.django_db
def test_too_few_books():
    make_book()
    with pytest.raises(CommandError, match="learning needs 10 at least"):
        call_command("retention_report")
