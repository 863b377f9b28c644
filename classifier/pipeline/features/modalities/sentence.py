"""Sentence modality: title and description encoded by a pretrained sentence encoder.

Such an encoder knows from its training data that “ocean” is close to “sea”. It is a download and slow, so it
is off until ``sentence.model`` names one; see SENTENCE.md. A stored model has only its fingerprint.
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
from classifier.pipeline.text.html import strip_markup

_SOURCE_KEY = source_key(sys.modules[__name__], html)
_PROBE = "An introduction to the history of science, 1500 to 1900. 科学史入门。"
_TOLERANCE = 0.02  # of the probe's vector between machines; another encoder differs everywhere
_CHUNK = 512  # texts per cache write: an interrupted run loses a few seconds of work


class EncoderError(PipelineError):
    """The sentence encoder is missing or has been replaced by another."""


class SentenceModality(Modality):
    """Vectors of a pretrained sentence encoder."""

    name = "sentence"

    def __init__(self, *, settings: SentenceConfig) -> None:
        self.settings = settings
        self.model = ""
        self.fingerprint = ""
        self.probe: Float32 = np.empty(0, np.float32)  # (d,), vector of `_PROBE`
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
            self.progress("computing text embeddings", start, len(rows))
            part = rows[start : start + _CHUNK]
            vectors = self.cache.get_or_compute(
                keys=[self._key(texts[row]) for row in part],
                items=[texts[row] for row in part],
                compute=self._encode,
            )
            values[part] = [np.frombuffer(vector, np.float16) for vector in vectors]
        if len(rows):
            self.progress("computing text embeddings", len(rows), len(rows))
        # Vectors have unit length; sqrt(d) gives entries of about 1.
        return Block(values=values * np.float32(np.sqrt(len(self.probe))), present=present, spec=self.spec)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return {"model": self.model, "fingerprint": self.fingerprint}, {"probe": self.probe}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.model, self.fingerprint = values["model"], values["fingerprint"]
        self.probe = tensors["probe"]
        self._encoder = None  # loaded with the first uncached text
        return self

    def _texts(self, catalogue: Catalogue) -> list[str]:
        return [_text(book) if self.model else "" for book in catalogue.books]

    def _key(self, text: str) -> bytes:
        # The probe captures what the weights do not: how word vectors are pooled.
        return content_key(_SOURCE_KEY, self.fingerprint, self.probe.tobytes(), text)

    def _encode(self, texts: Sequence[str]) -> Iterable[bytes]:
        """Return the vectors of texts in half precision; batching changes them more than rounding."""
        if self._encoder is None:
            self._encoder = self._matching_encoder()
        # Sorted, so that vectors do not depend on the order of the books.
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

    def _matching_encoder(self) -> Any:
        """Return the encoder that `fit` used, or raise if it is another."""
        try:
            encoder = self._encoder = _load(self.model)
        except EncoderError as error:
            raise EncoderError(
                f"This model needs its sentence encoder. {error.message} Put it back, or train "
                "again with another one or none (sentence.model).",
                encoder=self.model,
            ) from error
        probe = self._vectors([_PROBE])[0]
        same = probe.shape == self.probe.shape and np.allclose(probe, self.probe, atol=_TOLERANCE)
        if not same or _fingerprint(encoder) != self.fingerprint:
            self._encoder = None
            raise EncoderError(
                f"The sentence encoder {self.model} is not the one this model was trained with. Put "
                "the original back, or train again.",
                encoder=self.model,
            )
        return encoder


def _load(model: str) -> Any:
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
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would garble our own
    try:
        return SentenceTransformer(
            str(folder) if folder.is_dir() else model,
            trust_remote_code=False,
            # Other formats are pickles.
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        # The loaders raise all kinds of errors for missing or damaged files.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise EncoderError(f"The sentence encoder {model} could not be loaded ({reason}).") from error


def _fingerprint(encoder: Any) -> str:
    """Return a hash of the encoder's weights and vocabulary, independent of the file format."""
    weights = sorted(
        content_key(str(tuple(tensor.shape)), tensor.cpu().float().numpy().tobytes())
        for tensor in encoder.state_dict().values()
    )
    words = json.dumps(encoder.tokenizer.get_vocab(), sort_keys=True)
    return content_key(words, *weights).hex()


def _text(book: BookRecord) -> str:
    fields = (book.title, book.subtitle, book.description)
    return "\n".join(filter(None, (" ".join(strip_markup(field).split()) for field in fields)))
