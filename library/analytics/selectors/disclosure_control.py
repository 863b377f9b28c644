"""Statistical disclosure control: hide counts so small that a person could be recognised in them."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def suppress_small_cells(counts: Mapping[Key, int], *, minimum: int) -> dict[Key, int | None]:
    """Return the counts by the same keys, with None for those that must stay hidden.

    A count below `minimum` is hidden, except 0, which concerns no one. If the hidden counts add up to less
    than `minimum`, the smallest of the others is hidden too; otherwise the difference between the total and
    the published counts would reveal them.

    References
    ----------
    Hundepool, A. et al. (2012). Statistical Disclosure Control, section 4.4 (secondary cell suppression).
    """
    hidden: set[Key] = set()
    hidden_sum = 0
    for key in sorted((key for key, count in counts.items() if count), key=lambda key: counts[key]):
        if counts[key] >= minimum and (not hidden or hidden_sum >= minimum):
            break
        hidden.add(key)
        hidden_sum += counts[key]
    return {key: None if key in hidden else count for key, count in counts.items()}
