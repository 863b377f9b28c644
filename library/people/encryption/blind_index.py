"""The blind index: words of a borrower as keyed digests, so that a search needs no plain text.

Whoever reads the table without the key learns which borrowers share a word and how many words each has, and
no word.
"""

import hmac
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from library.people.encryption.keys import key_ring

CARD, EMAIL, PHONE, NAME = "card", "email", "phone", "name"

#: 128 bits: among ten million terms, two that collide are less likely than a damaged disk.
DIGEST_LENGTH = 32
#: What people write in telephone numbers beside digits.
_PHONE_SIGNS = set("+-()/. \u2010\u2011\u2013")
#: Within a word, not between two: O'Brien (also with U+2019), and the joiners of Persian and Indic scripts.
_WITHIN_A_WORD = dict.fromkeys(map(ord, "'\u2019\u02bc\u200c\u200d\u00ad"))


def digest(kind: str, term: str) -> str:
    """Return the digest of a normalised term: the kind is part, so an equal phone and card differ."""
    return hmac.digest(key_ring().index_key, f"{kind}:{term}".encode(), "sha256").hex()[:DIGEST_LENGTH]


def terms_of(*, card_number: str, name: str = "", email: str = "", phone: str = "") -> set[tuple[str, str]]:
    """Return what a borrower can be found by: pairs of kind and digest."""
    terms = {(CARD, card_term(card_number)), (EMAIL, email_term(email)), (PHONE, phone_term(phone))}
    terms |= {(NAME, term) for term in name_terms(name)}
    return {(kind, digest(kind, term)) for kind, term in terms if term}


def card_term(text: str) -> str:
    """Return a card number without its spaces and case."""
    return "".join(_folded(text).split())


def email_term(text: str) -> str:
    return _folded(text).strip()


def phone_term(text: str) -> str:
    """Return the digits alone, as ASCII; empty if there are none."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(sign)) for sign in folded if sign.isdecimal())


def is_phone(text: str) -> bool:
    """Say whether the text holds a digit, and nothing that telephone numbers do not."""
    folded = unicodedata.normalize("NFKC", text)
    return bool(phone_term(text)) and all(sign.isdecimal() or sign in _PHONE_SIGNS for sign in folded)


def name_words(text: str) -> list[str]:
    """Return the whole words of a name; a run of Chinese characters is one word.

    >>> name_words("Jean-Luc O’Brien 欧阳 修")
    ['jean', 'luc', 'obrien', '欧阳', '修']
    """
    folded = _folded(text).translate(_WITHIN_A_WORD)
    kinds = groupby(folded, key=_kind_of_sign)
    return [unicodedata.normalize("NFC", "".join(signs)) for kind, signs in kinds if kind]


def chinese_name(text: str) -> str:
    """Return the Chinese characters of a name in one: 欧阳 修 is also written 欧阳修."""
    return "".join(word for word in name_words(text) if _kind_of_sign(word[0]) == "han")


def name_terms(text: str) -> Iterator[str]:
    """Yield what a name is found by: its words, also without accents, and the whole of a Chinese name."""
    for word in name_words(text):
        yield word
        yield _without_accents(word)
    yield chinese_name(text)


def _folded(text: str) -> str:
    # Folding can undo the composition, and composing anew can make what folds: twice is stable.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def _without_accents(word: str) -> str:
    signs = unicodedata.normalize("NFD", word)
    kept = "".join(sign for sign in signs if unicodedata.category(sign) != "Mn")
    return unicodedata.normalize("NFC", kept)


def _kind_of_sign(sign: str) -> str:
    """Return "han", "word" or "": what stands between words."""
    # By name, as the blocks of Chinese characters are many and grow with each Unicode version.
    if unicodedata.name(sign, "").startswith("CJK UNIFIED") or sign in "〇々":
        return "han"
    return "word" if unicodedata.category(sign)[0] in "LMN" else ""
