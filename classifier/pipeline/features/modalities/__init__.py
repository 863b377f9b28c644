"""Modalities. A new one needs a module here and a line in `REGISTRY`."""

REGISTRY = {
    "text": "classifier.pipeline.features.modalities.text.TextModality",
    "cover": "classifier.pipeline.features.modalities.cover.CoverModality",
    "loans": "classifier.pipeline.features.modalities.loans.LoansModality",
    "audio": "classifier.pipeline.features.modalities.audio.AudioModality",
    "sentence": "classifier.pipeline.features.modalities.sentence.SentenceModality",
}
"""Dotted class paths by name, so that a modality's libraries are imported on use only."""
