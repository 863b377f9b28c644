"""The rows of circulation: rules, loans, holds, fines, notices and the events that statistics count."""

from library.circulation.models.coborrowing import CoBorrowing, LeftOutLoans
from library.circulation.models.events import LoanEvent
from library.circulation.models.fines import FineEntry
from library.circulation.models.holds import Hold
from library.circulation.models.loans import FORGOTTEN, LOAN_TERMS, Loan, OverdueLoan
from library.circulation.models.notices import Notice
from library.circulation.models.policies import ClosedDay, LoanPolicy

__all__ = [
    "FORGOTTEN",
    "LOAN_TERMS",
    "ClosedDay",
    "CoBorrowing",
    "FineEntry",
    "Hold",
    "LeftOutLoans",
    "Loan",
    "LoanEvent",
    "LoanPolicy",
    "Notice",
    "OverdueLoan",
]
