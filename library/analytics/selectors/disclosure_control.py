"""Groups of few are not told of, as somebody could be recognised in them."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def told_groups(counts: Mapping[Key, int], *, least: int) -> dict[Key, int | None]:
    """Return the counts that may be told, None in the place of the others.

    A count below `least` is not told, but for 0, which is nobody's. If all that is not told comes to fewer
    than `least` together, the smallest of the others is not told either: else the sum less those that are
    told would tell it.

    Parameters
    ----------
    counts : mapping
    least : int

    Returns
    -------
    dict
        By the same keys.

    References
    ----------
    Hundepool, A. et al. (2012). Statistical Disclosure Control, section 4.4 (secondary cell suppression).
    """
    hidden: set[Key] = set()
    together = 0
    for key in sorted((key for key, count in counts.items() if count), key=lambda key: counts[key]):
        if counts[key] >= least and (not hidden or together >= least):
            break
        hidden.add(key)
        together += counts[key]
    return {key: None if key in hidden else count for key, count in counts.items()}
