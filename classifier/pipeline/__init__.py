"""The machine-learning pipeline: arrays in, suggestions out. No database and no web.

Import from the modules. Shapes unless a docstring says otherwise: `probabilities`, `scores` (n_books,
n_classes); `truth`, `y` (category indices), `confidence` (of the prediction), `correct` (n_books,);
`present`, `shown` (n_books, n_modalities); `categories` to explain (n_books, n_explained); `X` (n_books, d);
`lists` (n_borrowers, k); `had` (n_titles, n_borrowers).
"""
