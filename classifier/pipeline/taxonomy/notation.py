"""Classes above a class, where its notation says them.

Two schemes build notations so that a class begins as the one above it does: in the Dewey Decimal
Classification a digit a level (535 optics, 53 physics, 5 science), in the Chinese Library Classification
(中国图书馆分类法) a letter for the main class, two within T, and then a digit a level (TP391, TP39, TP3,
TP, T).

References
----------
OCLC, Introduction to the Dewey Decimal Classification, 23rd edition, 2011 (main classes, divisions,
sections). Editorial Board, Chinese Library Classification, 5th edition, 2010.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

_DEWEY = re.compile(r"[0-9]{2,3}")
# A point after every third digit only divides them for the eye.
_CHINESE = re.compile(r"[A-Z]{1,2}[0-9]+(\.[0-9]+)?|[A-Z]|T[A-Z]")


def implied_parents(keys: Iterable[str]) -> dict[str, str]:
    """Return the class above each class, for the schemes of which every notation has one of the two forms.

    Parameters
    ----------
    keys : iterable of str
        Categories as ``scheme/notation``.

    Returns
    -------
    dict of str to str
        Of the keys and of the classes above them; the main classes have none.

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
        if any(all(map(form.fullmatch, notations)) for form in (_DEWEY, _CHINESE)):
            for notation in notations:
                while above := notation[:-1].rstrip("."):
                    parents[f"{scheme}/{notation}"] = f"{scheme}/{above}"
                    notation = above
    return parents
