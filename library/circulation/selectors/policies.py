"""Find the loan policy that applies to a loan, and explain it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from library.catalogue.models import Branch, ItemType
from library.circulation.models import LoanPolicy
from library.errors import LibraryError
from library.people.models import BorrowerCategory


class NoPolicyError(LibraryError):
    """No policy matches, not even a default policy."""

    def __init__(self, *, branch: object, borrower_category: object, item_type: object) -> None:
        keys = {"branch": branch, "borrower_category": borrower_category, "item_type": item_type}
        names = {name: str(key or "*") for name, key in keys.items()}
        super().__init__(
            _(
                "No loan policy matches branch %(branch)s, borrower category %(borrower_category)s "
                "and item type %(item_type)s. Add a default policy with all three fields left blank."
            )
            % names,
            **names,
        )


@dataclass(frozen=True, slots=True)
class PolicyMatch:
    """The policy that applies, and all matching policies in order of precedence."""

    policy: LoanPolicy
    candidates: tuple[LoanPolicy, ...]

    @property
    def reason(self) -> str:
        """Explanation for librarians why this policy applies."""
        keys = {
            _("item type"): self.policy.item_type_id,
            _("borrower category"): self.policy.borrower_category_id,
            _("branch"): self.policy.branch_id,
        }
        named = [name for name, key in keys.items() if key is not None]
        if not named:
            return _("This is the default policy, and no more specific policy matches.")
        if len(self.candidates) == 1:
            return _("This policy specifies %(keys)s, and no other policy matches.") % {
                "keys": ", ".join(named)
            }
        values = {"keys": ", ".join(named), "others": len(self.candidates) - 1}
        if specificity(self.candidates[1])[0] == len(named):
            return (
                _(
                    "This policy specifies %(keys)s. At least one of the other matching policies "
                    "(%(others)s) is equally specific, but item type takes precedence over borrower "
                    "category, and borrower category over branch."
                )
                % values
            )
        return (
            _(
                "This policy specifies %(keys)s and is more specific than the other matching "
                "policies (%(others)s)."
            )
            % values
        )


def policy_for(
    *, branch: Branch | None, borrower_category: BorrowerCategory | None, item_type: ItemType | None
) -> PolicyMatch:
    """Return the policy for a loan: the most specific one that matches.

    A policy matches if each of its keys is null or equal. Among policies with equally many keys, the item
    type takes precedence, then the borrower category, then the branch. No two policies have the same keys, so
    the order is total.

    Parameters
    ----------
    branch
        Branch of the checkout; None matches only policies for any branch. The same holds for the other two.

    Raises
    ------
    NoPolicyError
    """
    keys = {"branch": branch, "borrower_category": borrower_category, "item_type": item_type}
    candidates = tuple(sorted(_matching(keys).select_related(*keys), key=specificity, reverse=True))
    if not candidates:
        raise NoPolicyError(**keys)
    return PolicyMatch(policy=candidates[0], candidates=candidates)


def policy_in_force(
    *, branch_id: int | None, borrower_category_id: int | None, item_type_id: int | None
) -> LoanPolicy:
    """Return the policy that `policy_for` finds, by primary keys, without reading names.

    Raises
    ------
    NoPolicyError
    """
    keys = {"branch": branch_id, "borrower_category": borrower_category_id, "item_type": item_type_id}
    policy = max(_matching(keys), key=specificity, default=None)
    if policy is None:
        raise NoPolicyError(
            branch=_record(Branch, branch_id),
            borrower_category=_record(BorrowerCategory, borrower_category_id),
            item_type=_record(ItemType, item_type_id),
        )
    return policy


def _record(model: type[Model], key: int | None) -> Model | None:
    return None if key is None else model._default_manager.filter(pk=key).first()


def _matching(keys: Mapping[str, object]) -> QuerySet[LoanPolicy]:
    conditions = (Q(**{name: None}) | Q(**{name: key}) for name, key in keys.items())
    return LoanPolicy.objects.filter(*conditions).order_by()


def specificity(policy: LoanPolicy) -> tuple[int, bool, bool, bool]:
    """Return the sort key of policies: the number of keys they specify, then which ones."""
    named = (
        policy.item_type_id is not None,
        policy.borrower_category_id is not None,
        policy.branch_id is not None,
    )
    return sum(named), *named
