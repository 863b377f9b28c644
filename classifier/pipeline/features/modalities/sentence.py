"""Sentence modality: two texts of a book encoded by a pretrained sentence encoder.

Such an encoder knows from its training data that “ocean” is close to “sea”, in several languages. One vector
is of the record (title, authors, publisher), one of title and description. A stored model has the encoder's
name and fingerprint, not its weights; see SENTENCE.md.
"""

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Self

import numpy as np

from classifier.pipeline.config import Config, SentenceConfig
from classifier.pipeline.features.base import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.features.cache import content_key, source_key
from classifier.pipeline.features.encoders import (
    NONE,
    Encoder,
    EncoderError,
    load_encoder,
    sentence_transformer,
    universal,
)
from classifier.pipeline.records import BookRecord, Bool, Catalogue, Float32, Int64
from classifier.pipeline.text import html, script
from classifier.pipeline.text.html import strip_markup
from classifier.pipeline.text.script import fold_script

_SOURCE_KEY = source_key(sys.modules[__name__], html, script, sentence_transformer, universal)
_PROBE = "An introduction to the history of science, 1500 to 1900. 科学史入门。"
_PROBE_TOKENS = 64
_TOLERANCE = 0.02  # of the probe's vector between machines; another encoder differs everywhere
_CHUNK = 512  # books per cache write: an interrupted run loses a few seconds of work


class _Text(NamedTuple):
    """A text, and how much of it is read."""

    max_tokens: int
    text: str


class SentenceModality(Modality):
    """Vectors of a pretrained sentence encoder."""

    name = "sentence"

    def __init__(self, *, settings: SentenceConfig) -> None:
        self.settings = settings
        self.model = ""
        self.fingerprint = ""
        self.probe: Float32 = np.empty(0, np.float32)  # (d,), vector of `_PROBE`
        self._encoder: Encoder | None = None

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.sentence)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        self.load_state({"model": "", "fingerprint": ""}, {"probe": np.empty(0, np.float32)})
        self.notes = ()
        if self.settings.model in NONE:
            return self
        try:
            encoder = load_encoder(self.settings.model, batch=self.settings.batch)
            self.probe = self._cached_probe(encoder) if encoder.pinned else _encode_probe(encoder)
        except EncoderError as error:
            self.notes = (f"{error.message} Books are read without it.",)
            return self
        self._encoder, self.model, self.fingerprint = encoder, encoder.name, encoder.fingerprint
        return self

    def fit_block(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Block:
        """Fit and return the block of the same books, within the budget of `SentenceConfig.max_books`."""
        self.fit(catalogue, rng=rng)
        texts = self._texts(catalogue)
        rows = np.flatnonzero(_has_text(texts))
        if len(rows) > self.settings.max_books:
            kept = self._within_budget(catalogue, texts, rows)
            if left_out := len(rows) - len(kept):
                self.notes = (
                    f"The sentence encoder has not read {left_out:,} of {len(rows):,} books, to keep the "
                    f"training short (sentence.max_books={self.settings.max_books}). The next training reads "
                    "more of them.",
                )
            rows = kept
        return self._block(texts, rows)

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="vector", shape=(2 * len(self.probe),))

    def transform(self, catalogue: Catalogue) -> Float32:
        return np.asarray(self.block(catalogue).values)

    def present(self, catalogue: Catalogue) -> Bool:
        return _has_text(self._texts(catalogue))

    def block(self, catalogue: Catalogue) -> Block:
        texts = self._texts(catalogue)
        return self._block(texts, np.flatnonzero(_has_text(texts)))

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return {"model": self.model, "fingerprint": self.fingerprint}, {"probe": self.probe}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.model, self.fingerprint = values["model"], values["fingerprint"]
        self.probe = tensors["probe"]
        self._encoder = None  # loaded with the first uncached text
        return self

    def _texts(self, catalogue: Catalogue) -> list[tuple[_Text, ...]]:
        """Return the two texts of each book; no texts without an encoder."""
        if not self.model:
            return [()] * len(catalogue.books)
        limits = (self.settings.record_tokens, self.settings.text_tokens)
        return [tuple(map(_Text, limits, _book_texts(book))) for book in catalogue.books]

    def _block(self, texts: Sequence[tuple[_Text, ...]], rows: Int64) -> Block:
        """Return the block in which only the books in `rows` have the modality."""
        size = len(self.probe)
        values = np.zeros((len(texts), 2, size), np.float32)
        present = np.zeros(len(texts), bool)
        present[rows] = True
        for start in range(0, len(rows), _CHUNK):
            self.progress("computing text embeddings", start, len(rows))
            places = [
                (row, part)
                for row in rows[start : start + _CHUNK]
                for part, text in enumerate(texts[row])
                if text.text
            ]
            items = [texts[row][part] for row, part in places]
            vectors = self.cache.get_or_compute(
                keys=[self._key(item) for item in items], items=items, compute=self._encode
            )
            values[tuple(np.transpose(places))] = [np.frombuffer(vector, np.float16) for vector in vectors]
        if len(rows):
            self.progress("computing text embeddings", len(rows), len(rows))
        values *= np.float32(np.sqrt(size))  # unit vectors; now entries are about 1
        return Block(values=values.reshape(len(texts), 2 * size), present=present, spec=self.spec)

    def _within_budget(self, catalogue: Catalogue, texts: Sequence[tuple[_Text, ...]], rows: Int64) -> Int64:
        """Return the rows to read: the cached ones, then those with a category, then in catalogue order."""
        cached = np.zeros(len(rows), bool)
        for start in range(0, len(rows), _CHUNK):
            keys = [
                [self._key(text) for text in texts[row] if text.text] for row in rows[start : start + _CHUNK]
            ]
            known = self.cache.get_many(key for book in keys for key in book)
            cached[start : start + _CHUNK] = [all(key in known for key in book) for book in keys]
        # Whether a book has a category decides only if it is read; the category itself plays no part.
        unlabelled = np.array([not catalogue.books[row].category for row in rows], bool)
        order = np.lexsort((rows, unlabelled, ~cached))
        return np.sort(rows[order[: int(cached.sum()) + self.settings.max_books]])

    def _key(self, text: _Text) -> bytes:
        # The probe captures what the weights do not: how word vectors are pooled.
        probe = self.probe.tobytes()
        return content_key(_SOURCE_KEY, self.fingerprint, probe, str(text.max_tokens), text.text)

    def _encode(self, texts: Sequence[_Text]) -> Iterable[bytes]:
        """Return the vectors of texts in half precision; batching changes them more than rounding."""
        if self._encoder is None:
            self._encoder = self._matching_encoder()
        by_text: dict[_Text, bytes] = {}
        # Sorted, so that vectors do not depend on the order of the books.
        ordered = sorted(texts, key=lambda text: (text.max_tokens, len(text.text), text.text))
        for max_tokens, group in groupby(ordered, key=lambda text: text.max_tokens):
            part = list(group)
            vectors = self._encoder.encode([text.text for text in part], max_tokens=max_tokens)
            by_text |= zip(part, (vector.tobytes() for vector in vectors.astype(np.float16)), strict=True)
        return [by_text[text] for text in texts]

    def _cached_probe(self, encoder: Encoder) -> Float32:
        """Return the probe's vector without loading the encoder's weights if it is known."""
        (vector,) = self.cache.get_or_compute(
            keys=[content_key(_SOURCE_KEY, encoder.fingerprint, _PROBE)],
            items=[_PROBE],
            compute=lambda _: [_encode_probe(encoder).tobytes()],
        )
        return np.array(np.frombuffer(vector, np.float32))

    def _matching_encoder(self) -> Encoder:
        """Return the encoder that `fit` used, or raise if it is another."""
        try:
            encoder = load_encoder(self.model, batch=self.settings.batch)
        except EncoderError as error:
            raise EncoderError(
                f"This model needs its sentence encoder. {error.message} Put it back, or train "
                "again with another one or none (sentence.model).",
                encoder=self.model,
            ) from error
        probe = _encode_probe(encoder)
        same = probe.shape == self.probe.shape and np.allclose(probe, self.probe, atol=_TOLERANCE)
        if not same or encoder.fingerprint != self.fingerprint:
            raise EncoderError(
                f"The sentence encoder {self.model} is not the one this model was trained with. Put "
                "the original back, or train again.",
                encoder=self.model,
            )
        return encoder


def _encode_probe(encoder: Encoder) -> Float32:
    (vector,) = encoder.encode([_PROBE], max_tokens=_PROBE_TOKENS)
    return np.asarray(vector, np.float32)


def _book_texts(book: BookRecord) -> tuple[str, str]:
    """Return the text of the record and the text of title and description, in simplified characters."""
    title, subtitle, authors, publisher, description = (
        fold_script(" ".join(strip_markup(field).split()))
        for field in (book.title, book.subtitle, book.authors, book.publisher, book.description)
    )
    heading = " ".join(filter(None, (title, subtitle)))
    return (
        "\n".join(filter(None, (heading, authors, publisher))),
        "\n".join(filter(None, (heading, description))),
    )


def _has_text(texts: Sequence[tuple[_Text, ...]]) -> Bool:
    return np.array([any(text.text for text in book) for book in texts], bool)
