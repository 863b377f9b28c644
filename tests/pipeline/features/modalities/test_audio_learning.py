"""Learning categories from sound only."""

import numpy as np
import pytest
import soundfile

from classifier.pipeline.config import Config
from classifier.pipeline.features.base import Block
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.network import FusionNetwork
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.train import train
from tests.pipeline.feature_blocks import N_CLASSES, log_probabilities, only, toy_blocks, with_values
from tests.pipeline.recordings import FORMATS, modality


def network(*settings: str) -> FusionNetwork:
    tiny = ["network.width=16", "network.epochs=20", "network.batch=16", "network.dense_learning_rate=0.01"]
    return FusionNetwork(settings=Config().with_settings([*tiny, *settings]).network, seed=0)


def test_network_learns_sounds_beside_words():
    kinds = ("words", "sounds")
    train_blocks, y = toy_blocks(90, kinds=kinds)
    fitted = network().fit(train_blocks, y, n_classes=N_CLASSES)
    new, truth = toy_blocks(90, seed=1, kinds=kinds)
    rows = new["sounds"].present
    alone = log_probabilities(fitted, only(new, "sounds"))[:, 0].argmax(axis=1)
    assert (alone == truth[rows]).mean() > 0.9
    garbage = np.where(rows[:, None], new["sounds"].values, np.uint8(200))
    spoilt = new | {"sounds": with_values(new["sounds"], garbage)}
    assert np.array_equal(log_probabilities(fitted, spoilt)[:, 0], log_probabilities(fitted, new)[:, 0])


def test_shortest_recording_trains_alone_in_its_batch():
    spec = modality("audio.bands=1").spec
    values = np.random.default_rng(0).integers(0, 256, (17, spec.shape[1])).astype(np.uint8)
    blocks = {"audio": Block(values=values, present=np.ones(17, bool), spec=spec)}
    y = np.arange(17) % 2
    fitted = network("network.epochs=1").fit(blocks, y, n_classes=2)
    assert np.isfinite(log_probabilities(fitted, blocks)).all()


def clip(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Draw two seconds of sound at 8,000 samples a second that is like others of its kind.

    The two rhythms are of the same noise, the two glides of the same pitches: only time tells them apart.
    """
    moment = np.arange(16_000) / 8_000
    pitch = rng.uniform(300, 600)
    if kind == "chord":
        sound = sum(np.sin(2 * np.pi * pitch * k * moment) for k in (1, 1.25, 1.5))
    elif kind in ("slow rhythm", "fast rhythm"):
        beats = rng.uniform(1.5, 2) if kind == "slow rhythm" else rng.uniform(4, 5)  # a second
        on = (moment * beats + rng.random()) % 1 < 0.5
        sound = rng.normal(0, 1, len(moment)) * on
    else:
        fall = moment if kind == "rising glides" else -moment
        phase = (fall * 2 + rng.random()) % 1  # two glides a second, over two octaves
        sound = np.sin(2 * np.pi * np.cumsum(pitch * 4**phase) / 8_000)
    sound = sound + rng.normal(0, 0.3, len(moment))
    return sound / np.abs(sound).max() * rng.uniform(0.1, 0.9)


KINDS = ("chord", "slow rhythm", "fast rhythm", "rising glides", "falling glides")


@pytest.fixture(scope="module")
def radio(tmp_path_factory) -> Catalogue:
    """Books whose category shows in the recording alone; titles are the same everywhere."""
    folder = tmp_path_factory.mktemp("radio")
    rng = np.random.default_rng(0)
    books = []
    for number in range(200):
        kind = KINDS[number % len(KINDS)]
        path = folder / f"{number}.{FORMATS[number % 3]}"
        soundfile.write(path, clip(kind, rng), 8_000)
        title = f"Book {rng.integers(5)}"
        books.append(BookRecord(id=f"b{number}", title=title, category=kind, audio=path))
    return Catalogue(books=books)


RADIO = Config().with_settings(
    ["audio.seconds=2", "network.width=32", "network.epochs=25", "sentence.model=none"]
)


def test_fusion_learns_categories_from_audio_only(radio):
    y = np.array([KINDS.index(book.category) for book in radio.books])
    blocks = FeatureExtractor(config=RADIO).fit_transform(radio, rng=np.random.default_rng(0))
    learned, held_out = (
        {name: block.take(rows) for name, block in blocks.items()}
        for rows in (np.arange(150), np.arange(150, 200))
    )
    fitted = FusionClassifier(config=RADIO, seed=1).fit(learned, y[:150], n_classes=len(KINDS))
    assert (fitted.predict_proba(held_out).argmax(axis=1) == y[150:]).mean() >= 0.9  # the majority has 0.2


def test_audio_training_is_reproducible(radio):
    blocks = FeatureExtractor(config=RADIO).fit_transform(radio, rng=np.random.default_rng(0))
    audio, y = {"audio": blocks["audio"]}, np.arange(200) % len(KINDS)
    one, same = (network("network.epochs=2").fit(audio, y, n_classes=len(KINDS)) for _ in range(2))
    assert np.array_equal(log_probabilities(one, audio), log_probabilities(same, audio))


def test_audio_appears_in_the_evidence(radio):
    figures = train(radio, config=RADIO.with_settings(["training.refit_below=0"]), seed=0).metrics
    assert figures["audio"]["accuracy"] >= 0.9
    assert figures["fused"]["accuracy"] >= 0.9
    assert figures["text"]["accuracy"] < 0.5
    assert figures["notes"] == []
