"""Settings: parsing, validation, storage."""

import dataclasses
import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.config import Config, names
from classifier.pipeline.errors import ConfigError


def test_settings_are_parsed_by_type():
    config = Config().with_settings(
        [
            "network.width=64",
            " svm.C = 1 ",
            "network.hidden=32,16",
            "network.activation=tanh",
            "cover.pretrained=resnet18",
            "training.holdout=0.1",
        ]
    )
    assert (config.network.width, config.svm.C, config.network.hidden) == (64, 1.0, (32, 16))
    assert type(config.svm.C) is float
    assert (config.network.activation, config.cover.pretrained) == ("tanh", "resnet18")
    assert config.training.holdout == 0.1


def test_unset_settings_keep_defaults():
    changed = Config().with_settings(["network.width=64"])
    assert changed.network == dataclasses.replace(Config().network, width=64)
    assert dataclasses.replace(changed, network=Config().network) == Config()


def test_last_setting_wins():
    assert Config().with_settings([]) == Config()
    assert Config().with_settings(["svm.C=1", "svm.C=2"]).svm.C == 2


def test_hidden_layers_can_be_empty():
    assert Config().with_settings(["network.hidden=8", "network.hidden="]).network.hidden == ()


def test_settings_are_checked_together():
    assert Config().with_settings(["text.gram_min=6", "text.gram_max=7"]).text.gram_min == 6


def test_defaults_are_valid():
    Config().check()


@pytest.mark.parametrize("setting", ["", "network", "network.width", "network=64", "=", "64"])
def test_malformed_setting_is_rejected(setting):
    with pytest.raises(ConfigError) as error:
        Config().with_settings([setting])
    assert error.value.message == f"“{setting}” must have the form part.name=value, e.g. network.width=64."


@pytest.mark.parametrize(
    "key",
    ["network.wide", "net.width", ".width", "network.", "network.width.x", "check.x", "network.__class__"],
)
def test_unknown_setting_lists_the_valid_ones(key):
    with pytest.raises(ConfigError) as error:
        Config().with_settings([f"{key}=1"])
    assert error.value.message.startswith(f"There is no setting “{key}”. Settings: text.min_books, ")
    assert all(name in error.value.message for name in names())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("network.width=wide", "network.width takes int values, not “wide”."),
        ("network.width=6.5", "network.width takes int values, not “6.5”."),
        ("network.width=", "network.width takes int values, not “”."),
        ("svm.C=much", "svm.C takes float values, not “much”."),
        ("network.hidden=a,b", "network.hidden takes tuple values, not “a,b”."),
        ("network.activation=sine", "network.activation must be one of gelu, relu, tanh, silu, not “sine”."),
        (
            "network.fusion=product",
            "network.fusion must be one of sum, concat, gated, attention, not “product”.",
        ),
    ],
)
def test_value_of_another_type_is_rejected(setting, message):
    with pytest.raises(ConfigError) as error:
        Config().with_settings([setting])
    assert error.value.message == message


SHARES = [
    "network.dropout", "network.input_dropout", "network.vector_dropout", "network.modality_dropout",
    "network.label_smoothing",
]  # fmt: skip
POSITIVE = [
    "network.width", "network.hidden", "svm.max_books", "text.gram_min", "text.max_terms",
    "loans.factors", "loans.neighbours", "training.max_holdout", "recommend.neighbours",
    "recommend.min_borrowers", "recommend.near_by_loans", "recommend.near_by_text",
    "recommend.near_by_cover", "recommend.near_by_theme", "sentence.record_tokens", "sentence.text_tokens",
    "sentence.max_books", "sentence.batch",
]  # fmt: skip
POSITIVE_REAL = [
    "network.learning_rate", "network.dense_learning_rate", "svm.C", "recommend.half_life_years",
    "recommend.penalty", "recommend.author_share", "recommend.new_title_factor",
]  # fmt: skip
NOT_NEGATIVE = ["network.epochs", "text.min_books", "network.batch", "training.refit_below"]
NOT_NEGATIVE_REAL = [
    "network.modality_loss", "network.weight_decay", "recommend.text_weight", "recommend.cover_weight",
    "recommend.theme_weight", "recommend.text_share", "recommend.cover_share", "recommend.theme_share",
    "recommend.again_weight", "recommend.popular_power", "recommend.unwanted_weight",
]  # fmt: skip
WRONG = {
    **{key: ["-0.1", "1", "1.5", "nan", "inf"] for key in SHARES},
    **{key: ["0", "-1"] for key in POSITIVE},
    **{key: ["0", "-0.1", "nan", "inf"] for key in POSITIVE_REAL},
    **{key: ["-1"] for key in NOT_NEGATIVE},
    **{key: ["-0.1", "nan", "inf"] for key in NOT_NEGATIVE_REAL},
    "training.holdout": ["0", "1", "-0.1", "nan"],
    "training.folds": ["1", "0", "-1"],
    "svm.balance": ["-0.1", "1.1", "nan"],
    "network.balance": ["-0.1", "1.1", "nan"],
    "cover.height": ["16", "0", "-1"],
    "cover.width": ["16", "0", "-1"],
    "text.gram_max": ["2"],
    "audio.seconds": ["0", "-1", "601"],
    "audio.bands": ["0", "-1", "81"],
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in WRONG.items() for v in values])
def test_invalid_value_names_the_setting(key, value):
    with pytest.raises(ConfigError, match=f"^{key} "):
        Config().with_settings([f"{key}={value}"])


def test_every_number_is_validated():
    parts = typing.get_type_hints(Config)
    words = {
        f"{part}.{name}"
        for part, kind in parts.items()
        for name, type_ in typing.get_type_hints(kind).items()
        if type_ is str or typing.get_origin(type_) is typing.Literal
    }
    assert set(names()) - words == set(WRONG)


@pytest.mark.parametrize("hidden", ["0,64", "64,0", "64,-1,32"])
def test_every_hidden_layer_needs_units(hidden):
    with pytest.raises(ConfigError, match=r"^network\.hidden must be above 0"):
        Config().with_settings([f"network.hidden={hidden}"])


def test_message_states_range_and_value():
    with pytest.raises(ConfigError) as error:
        Config().with_settings(["network.dropout=1.5"])
    assert error.value.message == "network.dropout must be at least 0 and below 1; it is 1.5."


@given(
    width=st.integers(1, 10**6),
    hidden=st.lists(st.integers(1, 999), max_size=4),
    C=st.floats(1e-9, 1e9),
    activation=st.sampled_from(["gelu", "relu", "tanh", "silu"]),
    pretrained=st.text(),
)
def test_settings_survive_json(width, hidden, C, activation, pretrained):
    config = Config().with_settings(
        [
            f"network.width={width}",
            f"network.hidden={','.join(map(str, hidden))}",
            f"svm.C={C!r}",
            f"network.activation={activation}",
            f"cover.pretrained={pretrained}",
        ]
    )
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.cover.pretrained == pretrained.strip()


def test_missing_stored_settings_get_defaults():
    assert Config.from_dict({}) == Config()
    assert Config.from_dict({"svm": {"C": 2.0}}) == Config().with_settings(["svm.C=2"])


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"svm": {"D": 2.0}}, "There is no setting “svm.D”."),
        ({"swm": {"C": 2.0}}, "There is no setting “swm”."),
        ({"svm": {"C": -2.0}}, "svm.C must be above 0 and finite; it is -2."),
    ],
)
def test_invalid_stored_settings_are_rejected(stored, message):
    with pytest.raises(ConfigError) as error:
        Config.from_dict(stored)
    assert error.value.message == message
