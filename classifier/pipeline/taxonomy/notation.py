"""Derive parent classes from notations.

Two schemes encode the hierarchy in the notation: the Dewey Decimal Classification with one digit per level
(535 optics, 53 physics, 5 science), and the Chinese Library Classification (中国图书馆分类法) with a letter
for the main class, two within T, then one digit per level (TP391, TP39, TP3, TP, T).

References
----------
OCLC, Introduction to the Dewey Decimal Classification, 23rd edition, 2011. Editorial Board, Chinese Library
Classification, 5th edition, 2010.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

_DEWEY = re.compile(r"[0-9]{2,3}")
# A point after the third digit is purely visual.
_CHINESE = re.compile(r"[A-Z]{1,2}[0-9]+(\.[0-9]+)?|[A-Z]|T[A-Z]")


def implied_parents(keys: Iterable[str]) -> dict[str, str]:
    """Return the parents of ``scheme/notation`` keys and their ancestors, if all have one of the two forms.

    Examples
    --------
    >>> implied_parents(["ddc/535"])
    {'ddc/535': 'ddc/53', 'ddc/53': 'ddc/5'}
    """
    schemes: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        scheme, _, notation = key.rpartition("/")
        schemes[scheme].append(notation)
    parents = {}
    for scheme, notations in schemes.items():
        if any(all(map(pattern.fullmatch, notations)) for pattern in (_DEWEY, _CHINESE)):
            for notation in notations:
                while parent := notation[:-1].rstrip("."):
                    parents[f"{scheme}/{notation}"] = f"{scheme}/{parent}"
                    notation = parent
    return parents
