"""Which rule holds for a loan, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from library.catalogue.models import Branch, ItemType
from library.circulation.models import LoanPolicy
from library.errors import LibraryError
from library.people.models import BorrowerCategory


class NoPolicyError(LibraryError):
    """No rule fits, not even one for everything."""

    def __init__(self, *, branch: object, borrower_category: object, item_type: object) -> None:
        keys = {"branch": branch, "borrower_category": borrower_category, "item_type": item_type}
        names = {name: str(key or "*") for name, key in keys.items()}
        super().__init__(
            _(
                "No loan policy fits branch %(branch)s, borrower category %(borrower_category)s and item "
                "type %(item_type)s. Add one with all three left empty: it is for everything."
            )
            % names,
            **names,
        )


@dataclass(frozen=True, slots=True)
class PolicyMatch:
    """The rule that holds, and all that would, in the order in which they would."""

    policy: LoanPolicy
    candidates: tuple[LoanPolicy, ...]

    @property
    def reason(self) -> str:
        """Why this rule and not another, in a sentence for a librarian."""
        keys = {
            _("item type"): self.policy.item_type_id,
            _("borrower category"): self.policy.borrower_category_id,
            _("branch"): self.policy.branch_id,
        }
        named = [name for name, key in keys.items() if key is not None]
        if not named:
            return _("It is the rule for everything, and no more specific one fits.")
        if len(self.candidates) == 1:
            return _("It names %(keys)s, and no other rule fits.") % {"keys": ", ".join(named)}
        values = {"keys": ", ".join(named), "others": len(self.candidates) - 1}
        if specificity(self.candidates[1])[0] == len(named):
            return (
                _(
                    "It names %(keys)s. Of %(others)s others that fit one names as many, but item type goes "
                    "before borrower category, and borrower category before branch."
                )
                % values
            )
        return _("It names %(keys)s, more than any of the %(others)s others that fit.") % values


def policy_for(
    *, branch: Branch | None, borrower_category: BorrowerCategory | None, item_type: ItemType | None
) -> PolicyMatch:
    """Return the rule for a loan: of those that fit, the one that names most.

    A rule fits if each of its keys is empty or the same. Of rules that name equally many keys, one that
    names the item type goes first, then one that names the borrower category, then one that names the
    branch. No two rules have the same keys, so the order is total.

    Parameters
    ----------
    branch : Branch or None
        Where the copy is borrowed; None fits only rules for any branch. So with the other two.
    borrower_category : BorrowerCategory or None
    item_type : ItemType or None

    Returns
    -------
    PolicyMatch

    Raises
    ------
    NoPolicyError
    """
    keys = {"branch": branch, "borrower_category": borrower_category, "item_type": item_type}
    candidates = tuple(sorted(_fitting(keys).select_related(*keys), key=specificity, reverse=True))
    if not candidates:
        raise NoPolicyError(**keys)
    return PolicyMatch(policy=candidates[0], candidates=candidates)


def policy_in_force(
    *, branch_id: int | None, borrower_category_id: int | None, item_type_id: int | None
) -> LoanPolicy:
    """Return the rule alone that `policy_for` finds and explains, for the desk: by keys, without names.

    Parameters
    ----------
    branch_id, borrower_category_id, item_type_id : int or None

    Returns
    -------
    LoanPolicy

    Raises
    ------
    NoPolicyError
    """
    keys = {"branch": branch_id, "borrower_category": borrower_category_id, "item_type": item_type_id}
    policy = max(_fitting(keys), key=specificity, default=None)
    if policy is None:
        raise NoPolicyError(
            branch=_named(Branch, branch_id),
            borrower_category=_named(BorrowerCategory, borrower_category_id),
            item_type=_named(ItemType, item_type_id),
        )
    return policy


def _named(model: type[Model], key: int | None) -> Model | None:
    return None if key is None else model._default_manager.filter(pk=key).first()


def _fitting(keys: Mapping[str, object]) -> QuerySet[LoanPolicy]:
    fits = (Q(**{name: None}) | Q(**{name: key}) for name, key in keys.items())
    return LoanPolicy.objects.filter(*fits).order_by()


def specificity(policy: LoanPolicy) -> tuple[int, bool, bool, bool]:
    """Return what rules are ordered by: how many keys are named, then which."""
    named = (
        policy.item_type_id is not None,
        policy.borrower_category_id is not None,
        policy.branch_id is not None,
    )
    return sum(named), *named
