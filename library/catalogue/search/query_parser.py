"""What somebody looks for: the conditions a book may meet, the best first, in the words of no database."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from library.catalogue.search.index_entries import KEY, key_of, word_keys
from library.catalogue.search.tokenizer import Run, cut, folded, grams, han_words, isbn13, runs

#: What is typed beyond is passed over: no title is as long, and a query must not cost what its sender likes.
MOST_CHARACTERS = 200
#: One letter may begin a tenth of all words.
SHORTEST_BEGINNING = 2
#: From so many digits and letters on, what is typed may be the beginning of an ISBN or a control number; with
#: fewer, all books of a country have it.
SHORTEST_NUMBER = 6
#: Characters that join words and tell nothing of a book: pairs with them are not asked for.
_JOINING = frozenset("的地得了着与和及之或在是")


class Where(Enum):
    """The parts of a book's entry that a condition looks at."""

    KEYS = "keys"
    TITLE = "title"
    NAMES = "title and authors"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class Token:
    """A token that an entry must have, or the beginning of one."""

    text: str
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Tokens that must all be there, in a row if it is a phrase; and keys besides."""

    where: Where
    tokens: tuple[Token, ...]
    phrase: bool = False
    keys: tuple[str, ...] = field(default=())


def conditions(text: str) -> list[Condition]:
    """Return the conditions that books may meet to be found, the best first.

    The whole title or number; a number's beginning; the words in a row in the title, as whole words and then
    as they are typed; all of them in the title; in the title or the authors; anywhere. Whoever meets one of
    them meets the last, but for a number.

    Parameters
    ----------
    text : str
        As typed, whatever that may be. The last word is taken for the beginning of one, unless a space
        follows it.

    Returns
    -------
    list of Condition
        None if there is nothing to look for: no letter and no digit.
    """
    typed = text[:MOST_CHARACTERS]
    found = runs(folded(typed))
    if not found:
        return []
    is_open = typed == text and not typed[-1].isspace()
    whole = key_of(folded(typed))
    loose = tuple(_scattered(found, is_open))
    words = tuple(word_keys(folded(typed)))
    best_first = [
        Condition(Where.KEYS, (Token(whole),)),
        *(Condition(Where.KEYS, (token,)) for token in _numbers(whole)),
        _phrase(tuple(_in_a_row(found, is_open=False)), words),
        _phrase(tuple(_in_a_row(found, is_open)), ()),
        *(Condition(where, loose) for where in (Where.TITLE, Where.NAMES, Where.ANYWHERE)),
    ]
    return list(dict.fromkeys(best_first))  # of one word, several are the same


def _numbers(whole: str) -> Iterator[Token]:
    typed = whole.removeprefix(KEY)
    if isbn := isbn13(typed):
        yield Token(KEY + isbn)
    elif len(typed) >= SHORTEST_NUMBER and any(character.isdecimal() for character in typed):
        yield Token(whole, begins=True)


def _phrase(row: tuple[Token, ...], keys: tuple[str, ...]) -> Condition:
    return Condition(Where.TITLE, row, phrase=len(row) > 1, keys=keys)


def _in_a_row(found: list[Run], is_open: bool) -> Iterator[Token]:
    for run in found:
        is_last = run is found[-1]
        if not run.is_han:
            yield _word(run, is_last and is_open)
        elif not is_last:
            yield from map(Token, grams(run.text))
        else:
            # The title's own run may go on, so its last character is not asked for.
            yield from (
                map(Token, grams(run.text)[:-1]) if len(run.text) > 1 else [Token(run.text, begins=True)]
            )


def _scattered(found: list[Run], is_open: bool) -> Iterator[Token]:
    for run in found:
        if run.is_han:
            yield from _pairs(run.text)
        else:
            yield _word(run, run is found[-1] and is_open)


def _word(run: Run, begins: bool) -> Token:
    return Token(cut(run.text), begins=begins and len(run.text) >= SHORTEST_BEGINNING)


def _pairs(run: str) -> list[Token]:
    """Return the pairs that a book must have: those within words, so that words may stand apart.

    A character that is no word's part holds on to its neighbours, but for one that only joins words.
    """
    if len(run) == 1:
        return [Token(run, begins=True)]
    asked, end = [], 0
    for word, following in pairwise([*han_words(run), ""]):
        start, end = end, end + len(word)
        asked += [run[at : at + 2] for at in range(start, end - 1)]
        if following and 1 in (len(word), len(following)) and not {word, following} & _JOINING:
            asked.append(run[end - 1 : end + 1])
    return [Token(pair) for pair in dict.fromkeys(asked or grams(run)[:-1])]
