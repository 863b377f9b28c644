"""The modalities: a line here and a file beside it is all that a new one needs."""

REGISTRY = {
    "text": "classifier.pipeline.features.modalities.text.TextModality",
    "cover": "classifier.pipeline.features.modalities.cover.CoverModality",
    "loans": "classifier.pipeline.features.modalities.loans.LoansModality",
    "audio": "classifier.pipeline.features.modalities.audio.AudioModality",
    "sentence": "classifier.pipeline.features.modalities.sentence.SentenceModality",
}
"""Name to class, as dotted strings: a modality's libraries are imported when it is used."""
