"""The modalities: a line here and a file beside it is all that a new one needs."""

REGISTRY = {
    "text": "classifier.pipeline.modalities.text.TextModality",
    "cover": "classifier.pipeline.modalities.cover.CoverModality",
    "loans": "classifier.pipeline.modalities.loans.LoansModality",
    "audio": "classifier.pipeline.modalities.audio.AudioModality",
    "sentence": "classifier.pipeline.modalities.sentence.SentenceModality",
}
"""Name to class, as dotted strings: a modality's libraries are imported when it is used."""
