"""The machine-learning pipeline: arrays in, suggestions out. No database and no web.

Import from the modules; functions without a leading underscore are public. Arrays have these shapes unless
their docstring says otherwise: `probabilities` and `scores` (n_books, n_classes); `truth` and `y`, category
indices, `confidence`, the probability of the prediction, and `correct` (n_books,); `present` and `shown`
(n_books, n_modalities); `categories` to explain (n_books, n_explained); `X` (n_books, d); `lists`
(n_borrowers, k); `had` (n_titles, n_borrowers).
"""
