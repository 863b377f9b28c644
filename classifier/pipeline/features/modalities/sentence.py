"""Sentences: what a pretrained encoder makes of title and description.

Such an encoder has read far more than any library's catalogue, so it knows that "ocean" is close to "sea"
in books that share no word. It is a download and takes long, so it is off until one is named:
``sentence.model``, see SENTENCE.md. Of the encoder nothing is stored with a model but what tells it from
another of the same name.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from classifier.pipeline.config import Config, SentenceConfig
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.features.base import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.features.cache import content_key, source_key
from classifier.pipeline.records import BookRecord, Bool, Catalogue, Float32
from classifier.pipeline.text import html
from classifier.pipeline.text.html import without_markup

_MADE_BY = source_key(sys.modules[__name__], html)
_PROBE = "An introduction to the history of science, 1500 to 1900. 科学史入门。"
_ALIKE = 0.02  # a number of the probe's vector may differ by, on another machine; of another encoder all do
_CHUNK = 512  # texts encoded before they are kept: some seconds' work, which is all that a stop can lose


class EncoderError(PipelineError):
    """The sentence encoder is not there, or another one is in its place."""


class SentenceModality(Modality):
    """Vectors of a pretrained sentence encoder."""

    name = "sentence"

    def __init__(self, *, settings: SentenceConfig) -> None:
        self.settings = settings
        self.model = ""
        self.fingerprint = ""
        self.probe: Float32 = np.empty(0, np.float32)  # (d,), what the encoder makes of `_PROBE`
        self._encoder: Any = None

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.sentence)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        self.load_state({"model": "", "fingerprint": ""}, {"probe": np.empty(0, np.float32)})
        self.notes = ()
        if self.settings.model:
            try:
                self._encoder = _load(self.settings.model)
            except EncoderError as error:
                self.notes = (f"{error.message} Books are read without it.",)
                return self
            self.model, self.fingerprint = self.settings.model, _fingerprint(self._encoder)
            self.probe = self._vectors([_PROBE])[0]
        return self

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="vector", shape=self.probe.shape)

    def transform(self, catalogue: Catalogue) -> Float32:
        return np.asarray(self.block(catalogue).values)

    def present(self, catalogue: Catalogue) -> Bool:
        return np.array([bool(text) for text in self._texts(catalogue)], bool)

    def block(self, catalogue: Catalogue) -> Block:
        texts = self._texts(catalogue)
        present = np.array([bool(text) for text in texts], bool)
        values = np.zeros((len(texts), len(self.probe)), np.float32)
        rows = np.flatnonzero(present)
        for start in range(0, len(rows), _CHUNK):
            self.progress("reading sentences", start, len(rows))
            part = rows[start : start + _CHUNK]
            found = self.cache.remember(
                keys=[self._key(texts[row]) for row in part],
                items=[texts[row] for row in part],
                make=self._encode,
            )
            values[part] = [np.frombuffer(vector, np.float16) for vector in found]
        if len(rows):
            self.progress("reading sentences", len(rows), len(rows))
        # Vectors have unit length; sqrt(d) gives entries of about 1.
        return Block(values=values * np.float32(np.sqrt(len(self.probe))), present=present, spec=self.spec)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return {"model": self.model, "fingerprint": self.fingerprint}, {"probe": self.probe}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.model, self.fingerprint = values["model"], values["fingerprint"]
        self.probe = tensors["probe"]
        self._encoder = None  # loaded when the first text has to be read that is in no cache
        return self

    def _texts(self, catalogue: Catalogue) -> list[str]:
        """Return what is encoded of each book; nothing without an encoder."""
        return [_text(book) if self.model else "" for book in catalogue.books]

    def _key(self, text: str) -> bytes:
        # The probe stands for what the weights do not say: how vectors of words become one of the text.
        return content_key(_MADE_BY, self.fingerprint, self.probe.tobytes(), text)

    def _encode(self, texts: Sequence[str]) -> Iterable[bytes]:
        """Return the vectors of texts in half precision: what is cut off is less than a batch changes."""
        if self._encoder is None:
            self._encoder = self._the_same()
        # In an order of their own, so that the order of the books changes nothing.
        ordered = sorted(texts, key=lambda text: (len(text), text))
        vectors = self._vectors(ordered).astype(np.float16)
        by_text = {text: vector.tobytes() for text, vector in zip(ordered, vectors, strict=True)}
        return [by_text[text] for text in texts]

    def _vectors(self, texts: Sequence[str]) -> Float32:
        """Return unit vectors of texts, (n_texts, d)."""
        vectors = self._encoder.encode(
            texts, batch_size=self.settings.batch, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32)

    def _the_same(self) -> Any:
        """Return the encoder that `fit` saw, or refuse to go on with another."""
        try:
            encoder = self._encoder = _load(self.model)
        except EncoderError as error:
            raise EncoderError(
                f"This model reads books with a sentence encoder. {error.message} Put it back, or train "
                "again with another or none (sentence.model).",
                encoder=self.model,
            ) from error
        probe = self._vectors([_PROBE])[0]
        same = probe.shape == self.probe.shape and np.allclose(probe, self.probe, atol=_ALIKE)
        if not same or _fingerprint(encoder) != self.fingerprint:
            self._encoder = None
            raise EncoderError(
                f"The sentence encoder {self.model} is another one than this model was trained with. Put "
                "back the one it was, or train again.",
                encoder=self.model,
            )
        return encoder


def _load(model: str) -> Any:
    """Return a SentenceTransformer by name or folder."""
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        raise EncoderError(
            "Sentence encoders need a package that is not installed: pip install sentence-transformers."
        ) from error
    folder = Path(model).expanduser()
    if not folder.is_dir() and (folder.is_absolute() or model.startswith((".", "~"))):
        raise EncoderError(f"There is no folder {model} with a sentence encoder.")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would be drawn into ours
    try:
        return SentenceTransformer(
            str(folder) if folder.is_dir() else model,
            trust_remote_code=False,
            # Weights in any other format are a pickle.
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        # The loaders answer to what is missing or damaged with whatever they stumble over.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise EncoderError(f"The sentence encoder {model} could not be loaded ({reason}).") from error


def _fingerprint(encoder: Any) -> str:
    """Return a hash of the encoder's weights and vocabulary, whatever files they came in."""
    weights = sorted(
        content_key(str(tuple(tensor.shape)), tensor.cpu().float().numpy().tobytes())
        for tensor in encoder.state_dict().values()
    )
    words = json.dumps(encoder.tokenizer.get_vocab(), sort_keys=True)
    return content_key(words, *weights).hex()


def _text(book: BookRecord) -> str:
    """Return what is encoded; the encoder itself cuts off what is too long for it."""
    fields = (book.title, book.subtitle, book.description)
    return "\n".join(filter(None, (" ".join(without_markup(field).split()) for field in fields)))
