"""Models of circulation: loan policies, loans, holds, fines, notices and the events that statistics count."""

from library.circulation.models.coborrowing import CoBorrowing, ExcludedLoanCount
from library.circulation.models.events import LoanEvent
from library.circulation.models.fines import FineEntry
from library.circulation.models.holds import Hold
from library.circulation.models.loans import ANONYMISED, LOAN_TERMS, Loan, OverdueLoan
from library.circulation.models.notices import Notice
from library.circulation.models.policies import ClosedDay, LoanPolicy

__all__ = [
    "ANONYMISED",
    "LOAN_TERMS",
    "ClosedDay",
    "CoBorrowing",
    "ExcludedLoanCount",
    "FineEntry",
    "Hold",
    "Loan",
    "LoanEvent",
    "LoanPolicy",
    "Notice",
    "OverdueLoan",
]
