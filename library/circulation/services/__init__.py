"""Circulation services: every write to loans, holds, fines and notices.

Each service runs in one transaction and locks rows in the same order, so that transactions do not deadlock:
borrower, book, copies, holds, loan, co-borrowing counts, excluded-loan counts. Rows of the same kind are
locked in key order. The lock on the book also covers its queue and its copies on the shelf: without it, two
checkouts of two copies could both count the same spare copy.

Arguments are read again under the lock. Every state change is an UPDATE that names the state it leaves and
must match exactly one row. SQLite has no row locks; there, transactions begin IMMEDIATE (see settings), so
writers queue.
"""
