"""Pretrained sentence encoders: text in, unit vectors out. The default one comes with the installation."""

from classifier.pipeline.features.encoders import universal
from classifier.pipeline.features.encoders.base import Encoder, EncoderError
from classifier.pipeline.features.encoders.sentence_transformer import SentenceTransformerEncoder
from classifier.pipeline.features.encoders.universal import UniversalSentenceEncoder

__all__ = ["AUTO", "NONE", "Encoder", "EncoderError", "load_encoder"]

AUTO = "auto"
"""The bundled encoder."""
NONE = ("", "none")
"""Settings that turn sentence vectors off."""


def load_encoder(name: str, *, batch: int) -> Encoder:
    """Return an encoder by name; raises `EncoderError` if it is missing or damaged.

    Parameters
    ----------
    name
        `AUTO`, the name of the bundled package, a name on the Hugging Face hub, or a folder.
    batch
        Texts per batch of a sentence-transformers model.
    """
    if name in (AUTO, universal.NAME):
        return UniversalSentenceEncoder()
    return SentenceTransformerEncoder(name, batch=batch)
