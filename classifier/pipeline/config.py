"""Every setting of the pipeline, each default with its reason.

The figures in the reasons come from ``tests/benchmarks``: accuracy on held-out fifths of the labelled
books of the development sets.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, Self

from classifier.pipeline.errors import ConfigError

Source = Literal["loans", "text", "cover", "theme", "again", "new", "popular", "latest"]
"""Why a title is recommended: see `classifier.pipeline.recommender.reranking.Pick`."""
SOURCES: tuple[Source, ...] = ("loans", "text", "cover", "theme")
"""Who borrows titles together, their words, their covers, and what the classifier sees in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """How titles, authors, publishers and descriptions become features."""

    min_books: int = 2
    """A term in one book only cannot tie two books together; leaving it out halves the vocabulary."""
    gram_min: int = 3
    gram_max: int = 5
    """Character n-grams within words: the stems and compounds of French and German (+3 points there)."""
    max_terms: int = 200_000
    """The most frequent terms of each group; bounds the memory of a network on any catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverConfig:
    """How covers become features."""

    pretrained: str = ""
    """A torchvision classification network such as ``resnet18``; empty does without, because weights are a
    download."""
    features: Literal["descriptors", "pixels"] = "descriptors"
    """Without a pretrained network. Descriptors: 3 points better than a convolutional network of its own on
    1,400 covers, in a twentieth of the time; that one may pay where there are far more covers."""
    height: int = 72
    width: int = 48
    """Pixels read of a cover by the convolutional network, in the 3:2 format of books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoansConfig:
    """How co-borrowing becomes features."""

    factors: int = 64
    """Co-borrowing factors: 32 lost a point on a real library, 128 brought nothing."""
    neighbours: int = 100
    """Titles most often borrowed with a book, which speak for it: 30 and 100 are level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """How recordings become features."""

    seconds: int = 30
    """Read of each recording, from its start: enough to tell voice, music and manner; a second more is a
    kilobyte more a book."""
    bands: int = 40
    """Bands of pitch: the usual number for speech; above 80 some hold no frequency of the transform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceConfig:
    """How a pretrained sentence encoder reads titles and descriptions."""

    model: str = ""
    """Name on the Hugging Face hub, or folder; empty leaves it out, because it is a download."""
    batch: int = 32
    """Texts encoded at once: more fill memory and bring nothing on a few cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """The fusion network: structure and training."""

    width: int = 128
    """Units a modality is encoded into: 64 loses a point with 99 categories, 256 only costs time."""
    hidden: tuple[int, ...] = ()
    """Layers between the fusion and the categories: one more lost 3 points on every set tried."""
    fusion: Literal["sum", "concat", "gated", "attention"] = "sum"
    """How the modalities' codes become one; TUNING.md has what each does."""
    activation: Literal["gelu", "relu", "tanh", "silu"] = "gelu"
    dropout: float = 0.5
    input_dropout: float = 0.2
    """Share of a book's terms left out in each step; a network on sparse terms overfits without."""
    vector_dropout: float = 0.2
    """As `input_dropout`, of dense features; half of them left out, formats of covers are hardly learned."""
    modality_dropout: float = 0.2
    """Share of books whose modality is hidden from the fusion, so that it can do without any of them."""
    modality_loss: float = 0.5
    """Weight of each modality's own output: keeps a weak one learning beside a strong one."""
    label_smoothing: float = 0.05
    """Catalogues hold wrong categories; smoothing keeps the network from learning them by heart."""
    balance: float = 0.5
    """As `SvmConfig.balance`, in the loss of the network: 7 points of macro-F1 where one category holds four
    books in five, nothing lost where categories are level."""
    optimizer: Literal["adam", "adagrad", "sgd"] = "adam"
    learning_rate: float = 0.015
    """Of the term vectors; each is touched rarely, so it needs a large step."""
    dense_learning_rate: float = 0.003
    weight_decay: float = 0.01
    epochs: int = 0
    """Passes over the books; 0 chooses 4 + 20,000 / books, 40 at most: a small set needs more passes."""
    batch: int = 0
    """Books a step; 0 chooses a twentieth of the books, between 16 and 256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SvmConfig:
    """The support vector machine over the fused representation."""

    kernel: Literal["linear", "rbf"] = "linear"
    """Level with rbf on every set tried, and its decision is a sum of shares, so it can be explained."""
    C: float = 0.5
    """0.1 to 2 are level with a dozen categories; with 99 of them 0.1 loses 3 points of macro-F1."""
    balance: float = 0.75
    """How far rare categories are weighed up: 0 not at all, 1 until all categories weigh the same. All the
    way brings 2 to 5 points of macro-F1 over the square root where a few categories hold most books and costs
    up to half a point of accuracy; this is between."""
    max_books: int = 10_000
    """A sample of the books: 20,000 brought 0.3 points with 99 categories and took half a minute longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """What is learned from and what is held out."""

    holdout: float = 0.2
    """Share of the categorised books never learned from before the figures are taken."""
    max_holdout: int = 5_000
    """Beyond this the figures get no more exact (0.7 points), but the model loses books."""
    folds: int = 3
    """Networks are trained on all folds but one and vote: the support vector machine must see what they
    say of books they have not learned by heart."""
    refit_below: int = 20_000
    """With fewer categorised books than this, the model that serves is trained again with the held-out
    ones; with more, a fifth more books no longer pays for twice the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendConfig:
    """How titles are recommended."""

    min_borrowers: int = 2
    """Borrowers that two titles must share, or they are not taken to share any. NDCG@10 on a real library
    (five loans a title): 1: 0.042, 2: 0.041, 3: 0.037, 5: 0.034; by words alone 0.023."""
    near_by_loans: int = 50
    near_by_text: int = 30
    """Titles that each is predicted from; twice as many found nothing more, by text alone a tenth less."""
    penalty: float = 30.0
    """On the squares of the weights. From 10 to 120 it makes no difference that is more than chance."""
    text_weight: float = 2.0
    """Of what words say, beside a borrower with one title; without words NDCG@10 was a quarter lower. More
    than 1 finds more of the titles that nobody has had."""
    near_by_cover: int = 10
    cover_weight: float = 1.0
    """Of what covers say. No real library with loans and covers was at hand to choose by."""
    near_by_theme: int = 20
    theme_weight: float = 0.3
    """Of what the classifier sees in a book. Chosen on loans before those looked at, of a real library
    without covers: NDCG@10 0.0349, recall of titles nobody has had 0.028; without themes 0.0346 and 0.024,
    with a weight of 1 0.0331 and 0.027."""
    text_share: float = 0.6
    cover_share: float = 0.2
    theme_share: float = 0.2
    """Of words, covers and themes beside the borrowers in how alike two titles are."""
    neighbours: int = 100
    """Titles kept that follow each, at most; all are no better."""
    again_weight: float = 0.1
    """Of a loan for the title itself, where what was had may come again: NDCG@10 of any titles 0.197, and
    0.077 with 0.005; more brings no more."""
    popular_power: float = 0.1
    """A title's score is multiplied by this power of how often it was borrowed."""
    new_title_factor: float = 1.5
    """And that of one that nobody has had by this: less can be known of it. More finds more of them and fewer
    of the others: 2 found a third more and cost NDCG@10 a twentieth."""
    unwanted_weight: float = 0.5
    """Of a title that a borrower does not want, beside their newest loan; what is like it loses."""
    half_life_years: float = 0.5
    """A loan of half a year before the newest counts half. From three months to a year it makes little
    difference."""
    author_share: float = 0.3
    """Of a list, for titles of one author or one series at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, by part.

    Examples
    --------
    >>> Config().with_settings(["network.width=64", "svm.C=1"]).svm.C
    1.0
    """

    text: TextConfig = field(default_factory=TextConfig)
    cover: CoverConfig = field(default_factory=CoverConfig)
    loans: LoansConfig = field(default_factory=LoansConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    sentence: SentenceConfig = field(default_factory=SentenceConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    svm: SvmConfig = field(default_factory=SvmConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    recommend: RecommendConfig = field(default_factory=RecommendConfig)

    def with_settings(self, settings: Sequence[str]) -> Self:
        """Return a copy with ``part.name=value`` settings applied.

        Raises
        ------
        ConfigError
            If a setting is not of that form, does not exist, or cannot have this value.
        """
        config = self
        for setting in settings:
            key, equals, value = setting.partition("=")
            part_name, dot, name = key.strip().partition(".")
            if not (equals and dot):
                raise ConfigError(f"“{setting}” is not of the form part.name=value, e.g. network.width=64.")
            if key.strip() not in names():
                raise ConfigError(f"There is no setting “{key}”. Settings: {', '.join(names())}.")
            part = getattr(config, part_name)
            parsed = _parse(key.strip(), value.strip(), _types(type(part))[name])
            changed = dataclasses.replace(part, **{name: parsed})
            config = dataclasses.replace(config, **{part_name: changed})
        config.check()
        return config

    def check(self) -> None:
        """Refuse values that cannot work.

        Raises
        ------
        ConfigError
            With the setting's name and the values it can have.
        """
        network, svm, training, recommend = self.network, self.svm, self.training, self.recommend
        shares = {
            "network.dropout": network.dropout,
            "network.input_dropout": network.input_dropout,
            "network.vector_dropout": network.vector_dropout,
            "network.modality_dropout": network.modality_dropout,
            "network.label_smoothing": network.label_smoothing,
        }
        positive = {
            "network.width": network.width,
            "network.hidden": min(network.hidden, default=1),
            "network.learning_rate": network.learning_rate,
            "network.dense_learning_rate": network.dense_learning_rate,
            "svm.C": svm.C,
            "svm.max_books": svm.max_books,
            "text.min_books": self.text.min_books,
            "text.gram_min": self.text.gram_min,
            "text.max_terms": self.text.max_terms,
            "loans.factors": self.loans.factors,
            "loans.neighbours": self.loans.neighbours,
            "sentence.batch": self.sentence.batch,
            "training.max_holdout": training.max_holdout,
            "recommend.neighbours": recommend.neighbours,
            "recommend.min_borrowers": recommend.min_borrowers,
            "recommend.near_by_loans": recommend.near_by_loans,
            "recommend.near_by_text": recommend.near_by_text,
            "recommend.near_by_cover": recommend.near_by_cover,
            "recommend.near_by_theme": recommend.near_by_theme,
            "recommend.new_title_factor": recommend.new_title_factor,
            "recommend.penalty": recommend.penalty,
            "recommend.author_share": recommend.author_share,
            "recommend.half_life_years": recommend.half_life_years,
        }
        not_negative = {
            "network.modality_loss": network.modality_loss,
            "network.weight_decay": network.weight_decay,
            "network.epochs": network.epochs,
            "network.batch": network.batch,
            "training.refit_below": training.refit_below,
            "recommend.text_weight": recommend.text_weight,
            "recommend.cover_weight": recommend.cover_weight,
            "recommend.theme_weight": recommend.theme_weight,
            "recommend.text_share": recommend.text_share,
            "recommend.cover_share": recommend.cover_share,
            "recommend.theme_share": recommend.theme_share,
            "recommend.again_weight": recommend.again_weight,
            "recommend.popular_power": recommend.popular_power,
            "recommend.unwanted_weight": recommend.unwanted_weight,
        }
        pixels = {"cover.height": self.cover.height, "cover.width": self.cover.width}
        audio = {"audio.seconds": self.audio.seconds}
        bands = {"audio.bands": self.audio.bands}
        folds = {"training.folds": training.folds}
        holdout = {"training.holdout": training.holdout}
        rules: list[tuple[Mapping[str, float], Callable[[float], bool], str]] = [
            (shares, lambda v: 0 <= v < 1, "is a share: 0 or more and below 1"),
            (positive, lambda v: 0 < v < inf, "must be above 0 and finite"),
            (not_negative, lambda v: 0 <= v < inf, "must be 0 or more and finite"),
            (
                {"svm.balance": svm.balance, "network.balance": network.balance},
                lambda v: 0 <= v <= 1,
                "must be between 0 and 1",
            ),
            # Four layers halve a picture, and normalising needs more than one pixel of what is left.
            (pixels, lambda v: v > 16, "must be above 16 pixels"),
            (audio, lambda v: 1 <= v <= 600, "must be 1 to 600: ten minutes are a megabyte a book"),
            (bands, lambda v: 1 <= v <= 80, "must be 1 to 80: a narrower band holds no frequency"),
            (folds, lambda v: v >= 2, "must be 2 or more: each book needs a network that has not seen it"),
            (holdout, lambda v: 0 < v < 1, "is a share above 0 and below 1: figures need books held out"),
        ]
        for values, allowed, sentence in rules:
            for key, value in values.items():
                if not allowed(value):
                    raise ConfigError(f"{key} {sentence}; it is {value:g}.")
        if self.text.gram_max < self.text.gram_min:
            raise ConfigError("text.gram_max cannot be below text.gram_min.")

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain JSON values; `from_dict` takes them back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, dict[str, Any]]) -> Self:
        """Take back what `to_dict` gave; settings that are missing get their default.

        Raises
        ------
        ConfigError
            If a setting does not exist.
        """
        if strange := set(values) - set(_types(cls)):
            raise ConfigError(f"There is no setting “{min(strange)}”.")
        parts = {}
        for part, kind in _types(cls).items():
            given = dict(values.get(part, {}))
            if unknown := set(given) - set(_types(kind)):
                raise ConfigError(f"There is no setting “{part}.{min(unknown)}”.")
            parts[part] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
        config = cls(**parts)
        config.check()
        return config


def names() -> list[str]:
    """Return every setting as ``part.name``."""
    return [f"{part}.{name}" for part, kind in _types(Config).items() for name in _types(kind)]


def _types(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _parse(key: str, value: str, kind: Any) -> Any:
    """Read `value` as the field's type."""
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise ConfigError(f"{key} can be {', '.join(typing.get_args(kind))}, not “{value}”.")
        return value
    try:
        if isinstance(kind, types.GenericAlias):  # tuple[int, ...]
            return tuple(int(part) for part in value.split(",") if part)
        return kind(value)
    except ValueError as error:
        raise ConfigError(f"{key} takes {getattr(kind, '__name__', kind)} values, not “{value}”.") from error
