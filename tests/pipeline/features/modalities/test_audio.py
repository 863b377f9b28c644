"""Audio: the spectrograms of recordings, in whatever form these come."""

import builtins
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.modalities.audio import log_mel, mel_filters, read_recording
from tests.pipeline.recordings import (
    FORMATS,
    band_of,
    loudest_band,
    modality,
    recorded,
    shelf,
    spectra,
    tone,
)  # fmt: skip


@pytest.mark.parametrize("bands", [1, 40, 80])
def test_every_band_holds_a_frequency_and_every_frequency_inside_is_in_one_or_two_bands(bands):
    filters = mel_filters(bands)
    assert filters.shape == (bands, 513)
    assert filters.any(axis=1).all()
    assert set((filters[:, 1:-1] > 0).sum(axis=0)) <= {1, 2}
    assert 0 <= filters.min() < filters.max() <= 1


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_tone_stands_in_its_band_whatever_the_format_and_the_rate(tmp_path, suffix, rate):
    path = recorded(tmp_path / f"a.{suffix}", tone(1_000, rate=rate), rate=rate)
    (spectrum,) = spectra(path)
    assert loudest_band(spectrum) == band_of(1_000)
    assert spectrum.max() == 255
    assert spectrum[band_of(5_000) :].mean() < 60


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_a_wav_may_hold_samples_of_any_kind(tmp_path, subtype):
    path = recorded(tmp_path / "a.wav", tone(1_000), subtype=subtype)
    assert loudest_band(spectra(path)[0]) == band_of(1_000)


def test_channels_are_averaged(tmp_path):
    both = np.column_stack([tone(500), tone(3_000, loudness=0.1)])
    path = recorded(tmp_path / "a.wav", both, subtype="FLOAT")
    expected = recorded(tmp_path / "b.wav", both.mean(axis=1), subtype="FLOAT")
    np.testing.assert_allclose(
        read_recording(path, seconds=1), read_recording(expected, seconds=1), atol=1e-6
    )


def test_a_quiet_recording_looks_like_a_loud_one(tmp_path):
    loud, quiet = (
        recorded(tmp_path / f"{loudness}.wav", tone(700, loudness=loudness), subtype="FLOAT")
        for loudness in (0.9, 0.01)
    )
    one, other = spectra(loud, quiet)
    assert np.abs(one - other).max() <= 1


def test_time_runs_along_the_last_axis(tmp_path):
    path = recorded(tmp_path / "a.wav", np.concatenate([tone(500, seconds=0.5), tone(4_000, seconds=0.5)]))
    (spectrum,) = spectra(path)
    assert loudest_band(spectrum[:, :14]) == band_of(500)
    assert loudest_band(spectrum[:, 17:]) == band_of(4_000)


def test_only_the_start_is_read(tmp_path):
    long = recorded(tmp_path / "long.wav", np.concatenate([tone(500), tone(4_000)]))
    short = recorded(tmp_path / "short.wav", tone(500))
    one, other = spectra(long, short)
    assert np.array_equal(one, other)


def test_a_short_recording_is_repeated_to_the_end(tmp_path):
    (spectrum,) = spectra(
        recorded(tmp_path / "a.wav", tone(500, seconds=0.25)), settings=("audio.seconds=5",)
    )
    assert spectrum.shape == (40, 155)
    assert np.array_equal(spectrum, np.resize(spectrum[:, :8].T, (155, 40)).T)
    assert (spectrum[band_of(500), :7] > 200).all()


@pytest.mark.parametrize("samples", [1, 2, 700, 1023, 1024, 1025])
def test_the_shortest_sound_is_heard_or_absent(tmp_path, samples):
    path = recorded(tmp_path / "a.wav", tone(1_000)[4 : 4 + samples], subtype="FLOAT")
    block = modality().block(shelf(path))
    assert block.present[0] == block.values.any()
    assert block.present[0] == (samples >= 700)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=3_000))
def test_levels_of_any_samples_reach_from_the_loudest_down(samples):
    levels = log_mel(np.array(samples, np.float32), filters=mel_filters(16), moments=30)
    assert levels is None or (levels.shape, levels.dtype, levels.max()) == ((16, 30), np.uint8, 255)


def test_without_the_package_every_recording_is_absent_and_a_note_says_how_to_install_it(
    tmp_path, monkeypatch
):
    path = recorded(tmp_path / "a.wav", tone(440))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    heard = modality()
    block = heard.fit_block(shelf(path, None, path), rng=np.random.default_rng(0))
    assert not block.present.any()
    assert heard.notes == (
        "2 books have a recording, and none was heard: the package soundfile is not installed. Install it "
        "with: pip install soundfile",
    )
    assert heard.fit(shelf(None), rng=np.random.default_rng(0)).notes == ()


def test_a_package_without_its_c_library_is_as_good_as_none(tmp_path, monkeypatch):
    path = recorded(tmp_path / "a.wav", tone(440))
    before = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "soundfile":
            raise OSError("sndfile library not found")
        return before(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert not modality().present(shelf(path)).any()


def test_the_note_goes_when_the_package_is_there_at_last(tmp_path, monkeypatch):
    path = recorded(tmp_path / "a.wav", tone(440))
    heard = modality()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "soundfile", None)
        assert heard.fit(shelf(path), rng=np.random.default_rng(0)).notes
    assert heard.fit(shelf(path), rng=np.random.default_rng(0)).notes == ()
    assert heard.present(shelf(path)).all()


def test_the_package_is_not_imported_before_a_recording_is_read():
    code = "import sys, classifier.pipeline.features.modalities.audio; print('soundfile' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_recording_is_heard_once_and_again_when_it_or_a_setting_changes(tmp_path):
    path, copy = recorded(tmp_path / "a.wav", tone(440)), recorded(tmp_path / "b.wav", tone(440))
    silent = recorded(tmp_path / "silent.wav", np.zeros(8_000))
    asked = shelf(path, None, copy, silent)
    cache = FeatureCache(tmp_path / "features.sqlite3")

    def heard(*settings: str) -> tuple[np.ndarray, int]:
        listening, before = modality(*settings), cache.misses
        listening.cache = cache
        block = listening.block(asked)
        assert block.present.tolist() == [True, False, True, False]
        return block.values, cache.misses - before

    first, made = heard()
    assert made > 0
    again, made = heard()
    assert made == 0
    assert np.array_equal(again, first)
    assert heard("audio.bands=20")[1] > 0
    assert heard("audio.seconds=2")[1] > 0
    recorded(path, tone(2_000))
    changed, made = heard()
    assert made == 1
    assert not np.array_equal(changed[0], first[0])
    assert np.array_equal(changed[2], first[2])


def test_what_was_not_heard_without_the_package_is_heard_once_it_is_there(tmp_path, monkeypatch):
    path, cache = recorded(tmp_path / "a.wav", tone(440)), FeatureCache(tmp_path / "features.sqlite3")
    listening = modality()
    listening.cache = cache
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "soundfile", None)
        assert not listening.present(shelf(path)).any()
    assert listening.present(shelf(path)).all()
