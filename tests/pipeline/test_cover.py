"""Covers: pixels by default, what a pretrained network sees if asked for, and pictures that are none."""

import json
import struct
import zlib
from io import BytesIO
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load, save
from torchvision import models

from classifier.pipeline.config import Config
from classifier.pipeline.errors import ConfigError
from classifier.pipeline.modalities.cover import CoverModality, read_cover
from classifier.pipeline.records import BookRecord, Catalogue

SMALL = "shufflenet_v2_x0_5"


def picture(path, colour=(200, 60, 40), size=(60, 90), mode="RGB"):
    Image.new(mode, size, colour).save(path)
    return path


def shelf(*covers) -> Catalogue:
    return Catalogue(books=[BookRecord(id=str(i), cover=cover) for i, cover in enumerate(covers)])


def fitted(catalogue: Catalogue, *settings: str) -> CoverModality:
    config = Config().with_settings(["cover.height=32", "cover.width=20", *settings])
    return CoverModality.from_config(config).fit(catalogue, rng=np.random.default_rng(0))


def png_that_claims(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header promises a large picture."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "webp"])
def test_pixels_are_channels_first(tmp_path, suffix):
    block = fitted(shelf()).block(shelf(picture(tmp_path / f"red.{suffix}", (255, 0, 0))))
    image = block.values.reshape(3, 32, 20).astype(int)
    assert np.abs(image - np.array([255, 0, 0])[:, None, None]).max() <= 2


def test_a_cover_is_read_upright(tmp_path):
    image = Image.new("RGB", (20, 32))
    image.putpixel((3, 30), (10, 20, 30))
    image.save(tmp_path / "dot.png")
    block = fitted(shelf()).block(shelf(tmp_path / "dot.png"))
    assert block.values.reshape(3, 32, 20)[:, 30, 3].tolist() == [10, 20, 30]
    assert np.count_nonzero(block.values) == 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_a_cover_may_have_any_mode(tmp_path, mode):
    path = tmp_path / ("cover.tiff" if mode in ("CMYK", "YCbCr") else "cover.png")
    Image.new("RGB", (40, 60), (9, 90, 200)).convert("L" if mode == "I;16" else mode).convert(mode).save(path)
    assert read_cover(path, size=(10, 15)).mode == "RGB"


def test_a_large_jpeg_is_read_at_the_size_asked_for(tmp_path):
    picture(tmp_path / "large.jpg", size=(1200, 1800))
    assert read_cover(tmp_path / "large.jpg", size=(20, 32)).size == (20, 32)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        png_that_claims(20_000, 20_000),
        png_that_claims(30, 40),
        b"GIF89a",
    ],
    ids=["missing", "empty", "text", "header only", "bomb", "no pixels", "cut gif"],
)
def test_a_cover_that_cannot_be_read_is_absent(tmp_path, content):
    path = tmp_path / "cover.png"
    if content is not None:
        path.write_bytes(content)
    block = fitted(shelf(path)).block(shelf(path, None, picture(tmp_path / "good.png")))
    assert block.present.tolist() == [False, False, True]
    assert not block.values[:2].any()


def test_a_truncated_cover_and_a_folder_are_absent(tmp_path):
    whole = picture(tmp_path / "whole.jpg", size=(300, 400)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert fitted(shelf()).present(shelf(tmp_path / "cut.jpg", tmp_path)).tolist() == [False, False]


@pytest.fixture(scope="module")
def covers(tmp_path_factory):
    """A picture in each of the usual formats, and a place to spoil it in."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (24, 16, 3), np.uint8))
    files = {}
    for form in ("PNG", "JPEG", "GIF", "WEBP"):
        image.save(buffer := BytesIO(), form)
        files[form] = buffer.getvalue()
    return files, tmp_path_factory.mktemp("spoilt") / "cover"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow may say what it found odd
@given(form=st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]), data=st.data())
def test_a_spoilt_cover_is_read_or_absent_but_no_crash(covers, form, data):
    files, path = covers
    content = bytearray(files[form])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    image = read_cover(path, size=(20, 32))
    assert image is None or (image.size, image.mode) == ((20, 32), "RGB")


def test_an_unknown_network_is_refused_by_name():
    with pytest.raises(ConfigError, match="no classification model “resnet999”"):
        fitted(shelf(), "cover.pretrained=resnet999")


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """The folder torch keeps downloaded weights in: empty, and nothing can be downloaded."""

    def unreachable(url, *args, **kwargs):
        raise URLError("network is unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def place_weights(checkpoints, name: str) -> None:
    """Write random weights where torch looks for downloaded ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = models.get_model(name, weights=None).state_dict()
    torch.save(weights, checkpoints / models.get_model_weights(name).DEFAULT.url.rpartition("/")[2])


def test_without_weights_covers_are_pixels_and_a_note_says_so(checkpoints, tmp_path):
    asked = shelf(picture(tmp_path / "a.png"), None)
    modality = fitted(asked, f"cover.pretrained={SMALL}")
    (note,) = modality.notes
    assert note.startswith(f"The pretrained weights of {SMALL} could not be loaded (<urlopen error network")
    assert "TORCH_HOME/hub/checkpoints" in note
    assert modality.state() == ({"network": ""}, {})
    assert modality.spec.kind == "image"
    assert np.array_equal(modality.transform(asked), fitted(asked).transform(asked))
    assert fitted(asked).notes == ()


@pytest.mark.parametrize("content", [b"", b"no weights " * 50], ids=["empty", "text"])
def test_damaged_weights_are_as_good_as_none(checkpoints, content):
    place_weights(checkpoints, SMALL)
    (file,) = checkpoints.iterdir()
    file.write_bytes(content)
    modality = fitted(shelf(), f"cover.pretrained={SMALL}")
    assert modality.spec.kind == "image"
    assert len(modality.notes) == 1


def test_a_note_goes_when_the_weights_are_there_at_last(checkpoints):
    modality = fitted(shelf(), f"cover.pretrained={SMALL}")
    place_weights(checkpoints, SMALL)
    assert modality.fit(shelf(), rng=np.random.default_rng(0)).notes == ()
    assert modality.spec.kind == "vector"


def test_a_network_whose_features_cannot_be_taken_is_refused(checkpoints):
    place_weights(checkpoints, "squeezenet1_1")
    with pytest.raises(ConfigError, match="squeezenet1_1 has no linear layer"):
        fitted(shelf(), "cover.pretrained=squeezenet1_1")


def test_a_pretrained_network_sees_the_covers_and_can_be_stored(checkpoints, tmp_path):
    place_weights(checkpoints, SMALL)
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (90, 60, 3), np.uint8)).save(path)
    asked = shelf(paths[0], None, paths[1], tmp_path / "missing.png", paths[2], paths[0])
    modality = fitted(asked, f"cover.pretrained={SMALL}")
    block = modality.block(asked)

    assert modality.notes == ()
    assert (block.spec.kind, block.spec.shape) == ("vector", (1024,))
    assert block.values.dtype == np.float32
    assert block.present.tolist() == [True, False, True, False, True, True]
    assert not block.values[~block.present].any()
    np.testing.assert_allclose(np.linalg.norm(block.values[block.present], axis=1), 32, rtol=1e-5)
    np.testing.assert_allclose(block.values[0], block.values[5], atol=1e-4)
    assert np.abs(block.values[0] - block.values[2]).max() > 0.01

    values, tensors = modality.state()
    values = json.loads(json.dumps(values))
    for file in checkpoints.iterdir():
        file.unlink()  # a stored model needs no download
    loaded = CoverModality(settings=modality.settings).load_state(values, load(save(tensors)))
    assert loaded.spec == modality.spec
    assert np.array_equal(loaded.transform(asked), block.values)
