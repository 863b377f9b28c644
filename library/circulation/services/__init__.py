"""Writes of circulation: what happens at the desk, and what is forgotten of it, a module a noun.

Each runs in one transaction and locks rows in one order, so that no two wait for each other: the borrower,
then the book, then copies, then holds, then the loan. The book's row stands for its queue and its shelves:
two checkouts of two copies must not both count the same spare copy. What is given as an argument is read
again under the lock. Every change of state is an UPDATE that names the state it leaves and has to find its
row. Several borrowers are locked in the order of their keys; after the loan come the counts of pairs of
titles, in the order of theirs, and then those of loans that count for nothing. On SQLite, which has no row
locks, transactions begin IMMEDIATE (settings), so writers queue.
"""
