"""The blind index: search terms of borrowers as keyed digests, so that a search needs no plain text.

Without the key the table shows which borrowers share a term and how many terms each has, but no term itself.
"""

import hmac
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from library.people.encryption.keys import key_ring

CARD, EMAIL, PHONE, NAME = "card", "email", "phone", "name"

#: In hexadecimal digits: 128 bits. A collision among ten million terms is less likely than disk corruption.
DIGEST_LENGTH = 32
#: Characters allowed in phone numbers besides digits.
_PHONE_CHARACTERS = set("+-()/. \u2010\u2011\u2013")
#: Characters that join a word: O'Brien (also with U+2019), and the joiners of Persian and Indic scripts.
_WITHIN_A_WORD = dict.fromkeys(map(ord, "'\u2019\u02bc\u200c\u200d\u00ad"))


def digest(kind: str, term: str) -> str:
    """Return the digest of a normalised term and its kind: an equal phone and card number differ."""
    return hmac.digest(key_ring().index_key, f"{kind}:{term}".encode(), "sha256").hex()[:DIGEST_LENGTH]


def search_terms(
    *, card_number: str, name: str = "", email: str = "", phone: str = ""
) -> set[tuple[str, str]]:
    """Return the search terms of a borrower as pairs of kind and digest."""
    terms = {(CARD, card_term(card_number)), (EMAIL, email_term(email)), (PHONE, phone_term(phone))}
    terms |= {(NAME, term) for term in name_terms(name)}
    return {(kind, digest(kind, term)) for kind, term in terms if term}


def card_term(text: str) -> str:
    """Return a card number case-folded and without spaces."""
    return "".join(_folded(text).split())


def email_term(text: str) -> str:
    return _folded(text).strip()


def phone_term(text: str) -> str:
    """Return the digits only, as ASCII; empty if there are none."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(character)) for character in folded if character.isdecimal())


def is_phone(text: str) -> bool:
    """Return whether the text has a digit and only characters of phone numbers."""
    folded = unicodedata.normalize("NFKC", text)
    return bool(phone_term(text)) and all(
        character.isdecimal() or character in _PHONE_CHARACTERS for character in folded
    )


def name_words(text: str) -> list[str]:
    """Return the words of a name; a run of Chinese characters is one word.

    Examples
    --------
    >>> name_words("Jean-Luc O’Brien 欧阳 修")
    ['jean', 'luc', 'obrien', '欧阳', '修']
    """
    folded = _folded(text).translate(_WITHIN_A_WORD)
    runs = groupby(folded, key=_script)
    return [unicodedata.normalize("NFC", "".join(characters)) for script, characters in runs if script]


def chinese_name(text: str) -> str:
    """Return the Chinese characters of a name joined: 欧阳 修 is also written 欧阳修."""
    return "".join(word for word in name_words(text) if _script(word[0]) == "han")


def name_terms(text: str) -> Iterator[str]:
    """Yield the search terms of a name: its words with and without accents, and a Chinese name as a whole."""
    for word in name_words(text):
        yield word
        yield _without_accents(word)
    yield chinese_name(text)


def _folded(text: str) -> str:
    # Case folding can decompose characters, and composing can yield characters that fold: twice is stable.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def _without_accents(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word)
    base = "".join(character for character in decomposed if unicodedata.category(character) != "Mn")
    return unicodedata.normalize("NFC", base)


def _script(character: str) -> str:
    """Return "han", "word", or "" for a character between words."""
    # By name, because Chinese characters have many blocks, and more with each Unicode version.
    if unicodedata.name(character, "").startswith("CJK UNIFIED") or character in "〇々":
        return "han"
    return "word" if unicodedata.category(character)[0] in "LMN" else ""
