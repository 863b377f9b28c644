"""Sentences: a pretrained encoder's vectors where one is named, and a way on where it cannot be had."""

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
from classifier.pipeline.features.modalities.sentence import EncoderError, SentenceModality
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, make_catalogue
from tests.pipeline.sentence_encoders import SIZE, make_encoder, write_json

SHELF = Catalogue(
    books=[
        BookRecord(id="1", title="Soup and bread", description="<p>A kitchen &amp; its oven</p>"),
        BookRecord(id="2", title="量子", subtitle="科学"),
        BookRecord(id="3", title=" ", description="<br>", authors="No One"),
        BookRecord(id="4", description="war of kings"),
    ]
)


def fitted(model, *, cache: FeatureCache | None = None, catalogue: Catalogue = SHELF) -> SentenceModality:
    modality = SentenceModality.from_config(Config().with_settings([f"sentence.model={model}"]))
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


def test_without_a_model_nobody_has_sentences():
    block = fitted("").block(SHELF)
    assert block.present.tolist() == [False] * 4
    assert block.values.shape == (4, 0)


def test_without_a_model_the_library_behind_it_is_not_loaded():
    code = """
import sys
import numpy as np
from classifier.pipeline.config import Config
from classifier.pipeline.features import FeatureExtractor
from classifier.pipeline.records import BookRecord, Catalogue
books = [BookRecord(id=str(i), title="soup and bread") for i in range(20)]
extractor = FeatureExtractor(config=Config())
assert list(extractor.fit_transform(Catalogue(books=books), rng=np.random.default_rng(0))) == ["text"]
assert not {"sentence_transformers", "transformers"} & sys.modules.keys()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_titles_and_descriptions_become_vectors(encoder):
    modality = fitted(encoder)
    block = modality.block(SHELF)
    assert modality.notes == ()
    assert (block.spec.kind, block.spec.shape) == ("vector", (SIZE,))
    assert block.values.dtype == np.float32
    assert block.present.tolist() == [True, True, False, True]
    assert not block.values[2].any()
    lengths = np.linalg.norm(block.values[block.present], axis=1)
    np.testing.assert_allclose(lengths, np.sqrt(SIZE), rtol=1e-3)
    assert len(np.unique(block.values, axis=0)) == 4


def test_mark_up_and_line_breaks_are_not_read(encoder):
    modality = fitted(encoder)
    with_markup = BookRecord(id="1", title="Soup", description="the<br/>\n oven &amp; <b>pan</b>")
    plain = BookRecord(id="2", title="Soup ", description="the oven & pan")
    first, second = modality.transform(Catalogue(books=[with_markup, plain]))
    assert np.array_equal(first, second)


def test_a_text_too_long_for_the_encoder_is_cut_off(encoder):
    long = [BookRecord(id=str(n), title="soup " * n) for n in (100, 5000)]
    first, second = fitted(encoder).transform(Catalogue(books=long))
    np.testing.assert_allclose(first, second, atol=0.005)


def test_a_name_that_is_not_on_this_machine_is_asked_for_and_then_done_without(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    modality = fitted("no-one/no-such-encoder")
    (note,) = modality.notes
    assert note.startswith("The sentence encoder no-one/no-such-encoder could not be loaded (")
    assert note.endswith("Books are read without it.")
    assert not modality.present(SHELF).any()


def test_a_folder_that_is_not_there_is_done_without(tmp_path):
    assert fitted(tmp_path / "none").notes == (
        f"There is no folder {tmp_path}/none with a sentence encoder. Books are read without it.",
    )


def test_a_package_that_is_not_installed_is_named(encoder, monkeypatch):
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
def test_a_damaged_or_untrusted_encoder_is_done_without_and_runs_no_code(own, spoil):
    spoil(own)
    modality = fitted(own)
    assert len(modality.notes) == 1
    assert modality.state()[0] == {"model": "", "fingerprint": ""}
    assert not modality.present(SHELF).any()
    assert not (own / "ran").exists()


def test_training_goes_on_without_the_encoder_and_says_so(tmp_path):
    config = TINY.with_settings([f"sentence.model={tmp_path}/none", "network.epochs=2"])
    result = train(make_catalogue(tmp_path, books=30, covers=False, audio=False), config=config, seed=0)
    assert result.model.judged.modalities_ == ["text", "loans"]
    assert result.figures["notes"] == [
        f"There is no folder {tmp_path}/none with a sentence encoder. Books are read without it."
    ]


def test_a_stored_model_reads_with_the_encoder_where_it_was(own):
    modality = fitted(own)
    assert np.array_equal(stored(modality).transform(SHELF), modality.transform(SHELF))


def test_a_stored_model_without_its_encoder_says_what_to_put_back(own):
    modality = stored(fitted(own))
    shutil.rmtree(own)
    with pytest.raises(EncoderError) as caught:
        modality.block(SHELF)
    assert caught.value.message == (
        f"This model reads books with a sentence encoder. There is no folder {own} with a sentence encoder. "
        "Put it back, or train again with another or none (sentence.model)."
    )
    assert caught.value.extra == {"encoder": str(own)}


@pytest.mark.parametrize("other", [{"seed": 1}, {"pooling": "cls_token"}], ids=["weights", "pooling"])
def test_another_encoder_of_the_same_name_is_refused_again_and_again(own, other):
    modality = stored(fitted(own))
    shutil.rmtree(own)
    make_encoder(own, **other)
    for _ in range(2):
        with pytest.raises(EncoderError, match="is another one than this model was trained with"):
            modality.block(SHELF)


def test_vectors_are_kept_by_content_and_need_no_encoder_then(own, tmp_path):
    file = tmp_path / "cache.sqlite3"
    without = fitted(own).transform(SHELF)
    modality = stored(fitted(own, cache=FeatureCache(file)))
    modality.cache = first = FeatureCache(file)
    assert np.array_equal(modality.transform(SHELF), without)
    assert (first.hits, first.misses) == (0, 3)
    shutil.rmtree(own)
    modality = stored(modality)
    modality.cache = second = FeatureCache(file)
    assert np.array_equal(modality.transform(SHELF), without)
    assert (second.hits, second.misses) == (3, 0)


@pytest.mark.parametrize("other", [{"seed": 1}, {"pooling": "cls_token"}], ids=["weights", "pooling"])
def test_another_encoder_finds_nothing_of_the_first(own, tmp_path, other):
    file = tmp_path / "cache.sqlite3"
    first = fitted(own, cache=FeatureCache(file)).transform(SHELF)
    shutil.rmtree(own)
    make_encoder(own, **other)
    cache = FeatureCache(file)
    second = fitted(own, cache=cache).transform(SHELF)
    assert (cache.hits, cache.misses) == (0, 3)
    assert np.abs(first - second)[[0, 1, 3]].max(axis=1).min() > 0.01


def test_progress_is_told_to_the_end(encoder):
    modality = fitted(encoder)
    told = []
    modality.progress = lambda *step: told.append(step)
    books = [BookRecord(id=str(n), title=f"soup {n % 7}") for n in range(600)]
    modality.block(Catalogue(books=books))
    assert told == [("reading sentences", done, 600) for done in (0, 512, 600)]
    modality.block(Catalogue(books=[]))
    assert len(told) == 3
