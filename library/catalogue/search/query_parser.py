"""Parse search queries into conditions, best first, independent of the database."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from library.catalogue.search.index_entries import KEY, key_of, word_keys
from library.catalogue.search.tokenizer import Run, bigrams, fold, runs, segment_han, to_isbn13, truncate

#: Characters of a query; the rest is ignored. No title is longer, and the cost of a query needs a limit.
MAX_QUERY_LENGTH = 200
#: Letters of a word prefix: a tenth of all words may start with one letter.
MIN_PREFIX_LENGTH = 2
#: Digits and letters of a prefix of an ISBN or control number: all books of a country share a shorter one.
MIN_NUMBER_LENGTH = 6
#: Function words. Pairs with them are not required, because they say nothing about a book.
_JOINING = frozenset("的地得了着与和及之或在是")


class Where(Enum):
    """The part of an entry that a condition searches."""

    KEYS = "keys"
    TITLE = "title"
    NAMES = "title and authors"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, or the prefix of one, that an entry must contain."""

    text: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Tokens that must all occur, in sequence for a phrase, and keys that must occur too."""

    where: Where
    tokens: tuple[Token, ...]
    phrase: bool = False
    keys: tuple[str, ...] = field(default=())


def parse_query(text: str) -> list[Condition]:
    """Return the conditions under which books match a query, best first.

    In this order: the whole title or number; a prefix of a number; the words in sequence in the title, as
    whole words and then as typed; all words in the title; in title and authors; anywhere. A book that meets
    any of them, except those on numbers, also meets the last.

    Parameters
    ----------
    text
        Untrusted input. The last word is a prefix unless a space follows it.

    Returns
    -------
    list of Condition
        Empty if the text contains neither letters nor digits.
    """
    query = text[:MAX_QUERY_LENGTH]
    folded = fold(query)
    query_runs = runs(folded)
    if not query_runs:
        return []
    is_open = query == text and not query[-1].isspace()
    whole = key_of(folded)
    unordered = tuple(_unordered_tokens(query_runs, is_open))
    words = tuple(word_keys(folded))
    best_first = [
        Condition(Where.KEYS, (Token(whole),)),
        *(Condition(Where.KEYS, (token,)) for token in _numbers(whole)),
        _phrase(tuple(_phrase_tokens(query_runs, is_open=False)), words),
        _phrase(tuple(_phrase_tokens(query_runs, is_open)), ()),
        *(Condition(where, unordered) for where in (Where.TITLE, Where.NAMES, Where.ANYWHERE)),
    ]
    return list(dict.fromkeys(best_first))  # for one word, several are equal


def _numbers(whole: str) -> Iterator[Token]:
    number = whole.removeprefix(KEY)
    if isbn := to_isbn13(number):
        yield Token(KEY + isbn)
    elif len(number) >= MIN_NUMBER_LENGTH and any(character.isdecimal() for character in number):
        yield Token(whole, is_prefix=True)


def _phrase(tokens: tuple[Token, ...], keys: tuple[str, ...]) -> Condition:
    return Condition(Where.TITLE, tokens, phrase=len(tokens) > 1, keys=keys)


def _phrase_tokens(query_runs: list[Run], is_open: bool) -> Iterator[Token]:
    for run in query_runs:
        is_last = run is query_runs[-1]
        if not run.is_han:
            yield _word(run, is_last and is_open)
        elif not is_last:
            yield from map(Token, bigrams(run.text))
        else:
            # The run may continue in the title, so its last character as a token is not required.
            yield from (
                map(Token, bigrams(run.text)[:-1]) if len(run.text) > 1 else [Token(run.text, is_prefix=True)]
            )


def _unordered_tokens(query_runs: list[Run], is_open: bool) -> Iterator[Token]:
    for run in query_runs:
        if run.is_han:
            yield from _pairs(run.text)
        else:
            yield _word(run, run is query_runs[-1] and is_open)


def _word(run: Run, is_prefix: bool) -> Token:
    return Token(truncate(run.text), is_prefix=is_prefix and len(run.text) >= MIN_PREFIX_LENGTH)


def _pairs(run: str) -> list[Token]:
    """Return the pairs that a book must contain: those within words, so that the words may be apart.

    A word of one character forms pairs with its neighbours, unless it is a function word.
    """
    if len(run) == 1:
        return [Token(run, is_prefix=True)]
    required, end = [], 0
    for word, following in pairwise([*segment_han(run), ""]):
        start, end = end, end + len(word)
        required += [run[at : at + 2] for at in range(start, end - 1)]
        if following and 1 in (len(word), len(following)) and not {word, following} & _JOINING:
            required.append(run[end - 1 : end + 1])
    return [Token(pair) for pair in dict.fromkeys(required or bigrams(run)[:-1])]
