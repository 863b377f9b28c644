"""Search index entries: the tokens of a book."""

from dataclasses import dataclass
from typing import NamedTuple

from library.catalogue.search.tokenizer import fold, runs, segment_han, squeeze, to_isbn13, tokenize, truncate

#: The searched columns of `Book`. A change of any of them rewrites the entry.
COLUMNS = (*("id", "title", "subtitle", "authors", "publisher", "isbn", "control_number", "description"),)
#: Indexed characters of a description: ten pages, well below the size limit of a tsvector.
MAX_DESCRIPTION_LENGTH = 20_000
#: Prefixes of whole titles or numbers, of Chinese words and of pairs of tokens. Folding turns these
#: characters into ASCII, so no token of a text starts with them.
KEY, WORD, PAIR = "＝", "＋", "＆"
#: Characters of a whole title; a lexeme of PostgreSQL has a size limit.
MAX_KEY_LENGTH = 200


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
    """The tokens of a book by field."""

    pk: int
    title: list[str]
    authors: list[str]
    edition: list[str]
    description: list[str]
    #: Keys of the whole title, authors and numbers, and of the Chinese words in title and authors.
    keys: list[str]


def build_entry(text: BookText) -> Entry:
    """Return the search index entry of a book."""
    title, authors = fold(text.title), fold(text.authors)
    isbn = to_isbn13(text.isbn) or fold(text.isbn)
    whole = [value for value in (title, authors, isbn, fold(text.control_number)) if squeeze(value)]
    keys = {*map(key_of, whole), *word_keys(title), *word_keys(authors)}
    return Entry(
        pk=text.id,
        title=tokenize(title),
        authors=tokenize(authors),
        edition=tokenize(fold(f"{text.subtitle} {text.publisher}")),
        description=tokenize(fold(text.description[:MAX_DESCRIPTION_LENGTH])),
        keys=sorted(keys),
    )


def key_of(text: str) -> str:
    """Return the key of a whole folded title, name or number."""
    return KEY + squeeze(text)[:MAX_KEY_LENGTH]


def word_keys(text: str) -> list[str]:
    """Return the keys of the Chinese words of a folded text, except words of one character."""
    words = (word for run in runs(text) if run.is_han for word in segment_han(run.text))
    return [WORD + truncate(word) for word in words if len(word) > 1]
