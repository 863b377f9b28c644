"""Options of each part of the pipeline, each default with its reason.

Figures come from ``tests/benchmarks``: accuracy on held-out fifths of the labelled development sets.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """Features of titles, authors, publishers and descriptions."""

    min_books: int = 0
    """Rarer terms are dropped. 0: 1 below 5,000 books, else 2. A term of one book links it to new books
    only: with 600 titles such terms raise accuracy by two to five points; in a large catalogue they double
    the vocabulary."""
    gram_min: int = 3
    gram_max: int = 5
    """Character n-grams within words: stems and compounds of French and German (+3 points there)."""
    max_terms: int = 200_000
    """Most frequent terms per group; bounds the memory of a network on any catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverConfig:
    """Features of covers."""

    pretrained: str = ""
    """A torchvision classification network such as ``resnet18``. Empty by default: weights are a download."""
    features: Literal["descriptors", "pixels"] = "descriptors"
    """Without a pretrained network. Descriptors are 3 points better than a convolutional network trained on
    1,400 covers, in a twentieth of the time; the network may pay off with far more covers."""
    height: int = 72
    width: int = 48
    """Pixels for the convolutional network, in the 3:2 format of books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoansConfig:
    """Features of co-borrowing."""

    factors: int = 64
    """Co-borrowing factors: 32 lost a point on a real library, 128 gained nothing."""
    neighbours: int = 100
    """Most co-borrowed titles linked to a book; 30 and 100 perform equally."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """Features of recordings."""

    seconds: int = 30
    """Read from the start of a recording: enough to recognise voice, music and style. A second takes a
    kilobyte per book."""
    bands: int = 40
    """Mel bands: the usual number for speech. Above 80, some bands contain no frequency of the transform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceConfig:
    """Features from a pretrained sentence encoder; SENTENCE.md describes the encoders."""

    model: str = "auto"
    """The bundled multilingual encoder, if it is installed. ``none`` turns vectors off; otherwise a name on
    the Hugging Face hub or a folder."""
    record_tokens: int = 64
    text_tokens: int = 128
    """Tokens read of title, authors and publisher, and of title and description, one vector each. A balanced
    linear SVM on both vectors of 300 Chinese books has 0.670 / 0.656 (accuracy / macro-F1, mean of six draws,
    2026-12-01). The first 32, 64 and 128 tokens of title and description alone have 0.580, 0.609 and 0.625;
    title, description and names as one text have 0.648."""
    max_books: int = 40_000
    """Books whose vectors one training may compute; cached ones do not count. A book has at most 196 tokens,
    one core reads 13,000 a second: ten minutes at most."""
    batch: int = 32
    """Texts per batch of a sentence-transformers model: larger batches take memory and gain nothing on a few
    cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Structure and training of the fusion network."""

    width: int = 128
    """Units per modality: 64 loses a point with 99 categories, 256 only takes longer."""
    hidden: tuple[int, ...] = ()
    """Layers between fusion and output: one layer lost 3 points on every data set."""
    fusion: Literal["sum", "concat", "gated", "attention"] = "sum"
    """Fusion layer; TUNING.md describes each kind."""
    activation: Literal["gelu", "relu", "tanh", "silu"] = "gelu"
    dropout: float = 0.5
    input_dropout: float = 0.2
    """Share of a book's terms dropped in each step; without it a network on sparse terms overfits."""
    vector_dropout: float = 0.2
    """Same for dense features. At 0.5 the network hardly learns the formats of covers."""
    modality_dropout: float = 0.2
    """Share of books whose modality is hidden from the fusion, so that no modality is indispensable."""
    modality_loss: float = 0.5
    """Weight of each modality's own output: keeps a weak modality learning beside a strong one."""
    label_smoothing: float = 0.05
    """Catalogues contain wrong categories; smoothing keeps the network from memorising them."""
    balance: float = 0.5
    """Like `SvmConfig.balance`, in the network's loss: +7 points of macro-F1 where one category holds four
    books in five, no loss where categories are balanced."""
    learning_rate: float = 0.1
    """For term vectors (Adagrad): each is updated rarely and needs a large step. 0.03 loses up to a point."""
    dense_learning_rate: float = 0.003
    """For all other weights (AdamW)."""
    weight_decay: float = 0.01
    epochs: int = 0
    """0: 4 + 10,000 / books, at most 10. Twice as many take twice as long and gain nothing measurable."""
    batch: int = 0
    """Books per step. 0: a twentieth of the books, between 32 and 256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SvmConfig:
    """The linear support vector machine on the fused representation.

    A radial kernel was as accurate; the decision of a linear machine is a sum of contributions that can be
    explained.
    """

    C: float = 0.5
    """0.1 to 2 perform equally with a dozen categories; with 99, 0.1 loses 3 points of macro-F1."""
    balance: float = 0.75
    """Weight of rare categories: 0 none, 1 all categories weigh the same. 1 gains 2 to 5 points of macro-F1
    over 0.5 where a few categories hold most books and costs up to half a point of accuracy."""
    max_books: int = 5_000
    """Books from which each fold's machine learns at most, a sample of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Holdout, folds and refit."""

    holdout: float = 0.2
    """Share of categorised books held out for evaluation."""
    max_holdout: int = 5_000
    """More books make the metrics no more exact (0.7 points) and cost training data."""
    folds: int = 3
    """Networks are trained on all folds but one and vote: the SVM must learn from votes on books that the
    network has not memorised."""
    refit_below: int = 20_000
    """Below this number of categorised books the serving model is retrained with the held-out books. Above,
    a fifth more books does not justify twice the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendConfig:
    """Recommendations."""

    min_borrowers: int = 2
    """Borrowers that two titles must share to be linked. NDCG@10 on a real library (five loans per title): 1:
    0.043, 2: 0.041, 3: 0.037, 5: 0.035; text only 0.023."""
    near_by_loans: int = 50
    near_by_text: int = 30
    """Predictors of each title; twice as many gained nothing, text alone lost a tenth."""
    penalty: float = 30.0
    """On the squared weights. From 10 to 120 the differences are within chance."""
    text_weight: float = 2.0
    """Relative to a borrower with one title; without text NDCG@10 was a quarter lower. Values above 1 find
    more titles that have never been borrowed."""
    near_by_cover: int = 10
    cover_weight: float = 1.0
    """Not tuned: no real library with loans and covers was available."""
    near_by_theme: int = 20
    theme_weight: float = 0.3
    """Weight of the classifier's encoding. Chosen on earlier loans of a real library without covers: NDCG@10
    0.0349, recall of never-borrowed titles 0.028; without themes 0.0346 and 0.024, with weight 1 0.0331 and
    0.027."""
    text_share: float = 0.6
    cover_share: float = 0.2
    theme_share: float = 0.2
    """Weights in the similarity of two titles, relative to loans."""
    neighbours: int = 100
    """Links stored per title; storing all brings no gain."""
    again_weight: float = 0.1
    """Weight of a loan for the title itself where repeats are allowed: NDCG@10 over all titles 0.197, 0.077
    with 0.005; larger values gain nothing."""
    popular_power: float = 0.1
    """A title's score is multiplied by this power of its number of loans."""
    new_title_factor: float = 1.5
    """Multiplies the score of a never-borrowed title, for which the model knows less. 2 finds a third more of
    them and costs a twentieth of NDCG@10."""
    unwanted_weight: float = 0.5
    """Weight of an unwanted title relative to the newest loan; similar titles lose score."""
    half_life_years: float = 0.5
    """A loan this much older than the newest counts half. Three months to a year perform similarly."""
    author_share: float = 0.3
    """Maximum share of a list for titles of one author or one series."""
