"""Recordings, and catalogues of books with nothing else."""

from pathlib import Path

import numpy as np
import soundfile

from classifier.pipeline.config import Config
from classifier.pipeline.features.modalities.audio import AudioModality, mel_filters
from classifier.pipeline.records import BookRecord, Catalogue

RATE = 16_000
FORMATS = ["wav", "flac", "ogg"]


def tone(pitch: float, *, seconds: float = 1.0, rate: int = RATE, loudness: float = 0.5) -> np.ndarray:
    """Return a sine wave."""
    return loudness * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)


def recorded(path: Path, samples: np.ndarray, *, rate: int = RATE, **options) -> Path:
    """Write samples to a file whose suffix tells the format."""
    soundfile.write(path, samples, rate, **options)
    return path


def shelf(*recordings) -> Catalogue:
    """Return books with these recordings, or None, and nothing else."""
    return Catalogue(books=[BookRecord(id=str(i), audio=path) for i, path in enumerate(recordings)])


def modality(*settings: str) -> AudioModality:
    """Return an unfitted modality that hears one second."""
    return AudioModality.from_config(Config().with_settings(["audio.seconds=1", *settings]))


def spectra(*recordings, settings: tuple[str, ...] = ()) -> np.ndarray:
    """Return the levels of recordings, (n, bands, moments)."""
    heard = modality(*settings)
    block = heard.block(shelf(*recordings))
    assert block.present.all()
    return block.values.reshape(-1, *heard.spec.shape).astype(int)


def loudest_band(spectrum: np.ndarray) -> int:
    """Return the band that is loudest on the whole."""
    return int(spectrum.mean(axis=1).argmax())


def band_of(pitch: float, bands: int = 40) -> int:
    """Return the band of a pitch in Hz."""
    return int(mel_filters(bands)[:, round(pitch * 1024 / RATE)].argmax())
