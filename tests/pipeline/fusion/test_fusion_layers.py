"""Fusion layers: hidden codes and initial gradients."""

import typing

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from classifier.pipeline.fusion.fusion_layers import INITIAL_BIAS, Kind, ModalityFusion

KINDS = typing.get_args(Kind)
WIDTH = 4


def combination(kind: Kind, *, modalities: int = 3, activation=nn.GELU, seed: int = 0) -> ModalityFusion:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ModalityFusion(kind, modalities, WIDTH, activation)


def drawn(seed: int, *, books: int = 5, modalities: int = 3) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    rng = np.random.default_rng(seed)
    codes = [torch.from_numpy(rng.normal(size=(books, WIDTH)).astype(np.float32)) for _ in range(modalities)]
    return codes, [torch.from_numpy(rng.random(books) < 0.6) for _ in range(modalities)]


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 99))
def test_hidden_codes_are_ignored(kind, seed):
    codes, shown = drawn(seed)
    combine = combination(kind, seed=seed)
    other = [
        torch.where(seen[:, None], code, 100 * code + 7) for code, seen in zip(codes, shown, strict=True)
    ]
    with torch.no_grad():
        assert torch.equal(combine(codes, shown), combine(other, shown))


@pytest.mark.parametrize("kind", KINDS)
def test_shown_codes_matter(kind):
    codes, _ = drawn(0)
    shown = [torch.ones(5, dtype=torch.bool)] * 3
    combine = combination(kind)
    with torch.no_grad():
        before = combine(codes, shown)
        assert before.shape == (5, WIDTH)
        for position in range(3):
            other = [code + (i == position) for i, code in enumerate(codes)]
            assert not torch.allclose(combine(other, shown), before)


@pytest.mark.parametrize("kind", KINDS)
def test_books_without_modalities_get_one_finite_code(kind):
    codes, _ = drawn(0)
    with torch.no_grad():
        total = combination(kind)(codes, [torch.zeros(5, dtype=torch.bool)] * 3)
    assert torch.isfinite(total).all()
    assert (total == total[0]).all()


def test_sum_adds_shown_codes():
    codes, shown = drawn(1)
    expected = sum(code * seen[:, None] for code, seen in zip(codes, shown, strict=True)) + INITIAL_BIAS
    torch.testing.assert_close(combination("sum")(codes, shown), expected)


def test_untrained_gates_add_up():
    codes, shown = drawn(1)
    gated = combination("gated")
    for parameter in gated.layer.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(gated(codes, shown), combination("sum")(codes, shown))


def test_gates_start_near_the_sum():
    codes, shown = drawn(1)
    with torch.no_grad():
        total, gated = (combination(kind)(codes, shown) for kind in ("sum", "gated"))
    assert (gated - total).abs().mean() < total.abs().mean()


def test_attention_over_one_modality_is_the_identity():
    codes, _ = drawn(1)
    alone = [torch.tensor([i == 1] * 5) for i in range(3)]
    with torch.no_grad():
        torch.testing.assert_close(combination("attention")(codes, alone), codes[1] + INITIAL_BIAS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU])
def test_zero_codes_get_gradients(kind, activation):
    # Term tables start at zero, where a ReLU is flat and nothing would ever be learned.
    codes = [torch.zeros(5, WIDTH, requires_grad=True) for _ in range(3)]
    combine = combination(kind, activation=activation)
    activation()(combine(codes, [torch.ones(5, dtype=torch.bool)] * 3)).sum().backward()
    assert all(code.grad is not None and code.grad.any() for code in codes)
