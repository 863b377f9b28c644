"""Encoders of the sentence-transformers library, by name on the Hugging Face hub or by folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifier.pipeline.features.cache import content_key
from classifier.pipeline.features.encoders.base import Encoder, EncoderError
from classifier.pipeline.records import Float32


class SentenceTransformerEncoder(Encoder):
    """A sentence-transformers model; it truncates texts at a length of its own.

    Raises
    ------
    EncoderError
        If the library or the model is missing, or the model is damaged or needs code of its own.
    """

    def __init__(self, name: str, *, batch: int) -> None:
        self.name = name
        self._batch = batch
        self._model = _load(name)
        self._fingerprint = _fingerprint(self._model)
        self.dimension = int(self._model.get_embedding_dimension())

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def encode(self, texts: Sequence[str], *, max_tokens: int) -> Float32:
        vectors = self._model.encode(
            list(texts), batch_size=self._batch, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, np.float32).reshape(len(texts), self.dimension)


def _load(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        raise EncoderError(
            "Sentence encoders need a package that is not installed: pip install sentence-transformers."
        ) from error
    folder = Path(name).expanduser()
    if not folder.is_dir() and (folder.is_absolute() or name.startswith((".", "~"))):
        raise EncoderError(f"There is no folder {name} with a sentence encoder.")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would garble our own
    try:
        return SentenceTransformer(
            str(folder) if folder.is_dir() else name,
            trust_remote_code=False,
            # Other formats are pickles.
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        # The loaders raise all kinds of errors for missing or damaged files.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise EncoderError(f"The sentence encoder {name} could not be loaded ({reason}).") from error


def _fingerprint(model: Any) -> str:
    """Return a hash of the encoder's weights and vocabulary, independent of the file format."""
    weights = sorted(
        content_key(str(tuple(tensor.shape)), tensor.cpu().float().numpy().tobytes())
        for tensor in model.state_dict().values()
    )
    words = json.dumps(model.tokenizer.get_vocab(), sort_keys=True)
    return content_key(words, *weights).hex()
