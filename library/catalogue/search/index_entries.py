"""What a book is found by."""

from dataclasses import dataclass
from typing import NamedTuple

from library.catalogue.search.tokenizer import cut, folded, han_words, isbn13, runs, squeezed, tokens

#: Of `Book`: what is searched. A change of any makes the entry anew.
COLUMNS = (*("id", "title", "subtitle", "authors", "publisher", "isbn", "control_number", "description"),)
#: Characters of a description that are searched: ten pages, and a fraction of what a tsvector takes.
DESCRIPTION_SEARCHED = 20_000
#: Before a whole title or number, a Chinese word, and two tokens in a row. No text has them, as folding makes
#: them ASCII, so what begins like a token is a token.
KEY, WORD, PAIR = "＝", "＋", "＆"
#: Of a whole title, so that it fits into a lexeme of PostgreSQL.
LONGEST_KEY = 200


class BookText(NamedTuple):
    """The values of `COLUMNS`."""

    id: int
    title: str
    subtitle: str
    authors: str
    publisher: str
    isbn: str
    control_number: str
    description: str


@dataclass(frozen=True, slots=True)
class Entry:
    """The tokens of a book by where they stand."""

    pk: int
    title: list[str]
    authors: list[str]
    edition: list[str]
    description: list[str]
    #: Whole title, whole authors and numbers, and the Chinese words of title and authors.
    keys: list[str]


def entry_of(text: BookText) -> Entry:
    """Return what a book is found by."""
    title, authors = folded(text.title), folded(text.authors)
    isbn = isbn13(text.isbn) or folded(text.isbn)
    whole = [value for value in (title, authors, isbn, folded(text.control_number)) if squeezed(value)]
    keys = {*map(key_of, whole), *word_keys(title), *word_keys(authors)}
    return Entry(
        pk=text.id,
        title=tokens(title),
        authors=tokens(authors),
        edition=tokens(folded(f"{text.subtitle} {text.publisher}")),
        description=tokens(folded(text.description[:DESCRIPTION_SEARCHED])),
        keys=sorted(keys),
    )


def key_of(text: str) -> str:
    """Return the key of a folded title, name or number as a whole."""
    return KEY + squeezed(text)[:LONGEST_KEY]


def word_keys(text: str) -> list[str]:
    """Return the keys of the Chinese words of a folded text, but for those of one character."""
    words = (word for run in runs(text) if run.is_han for word in han_words(run.text))
    return [WORD + cut(word) for word in words if len(word) > 1]
