"""A large library in PostgreSQL, made on the server itself: minutes, not hours."""

import random
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from library.people.encryption.keys import key_ring

BRANCHES = 3
#: Encrypted here and used again and again: encrypting one for each borrower would take longer than the rest.
NAMES = 1_000
#: One copy in three is out.
OUT = 3
#: One title in forty has a hold, and is left alone by the clients.
HELD = 40

#: By table, emptied in this order; loaded in the other.
TABLES = (
    "circulation_fineentry",
    "circulation_loanevent",
    "circulation_hold",
    "circulation_loan",
    "circulation_loanpolicy",
    "catalogue_copy",
    "catalogue_book",
    "people_borrower",
    "catalogue_branch",
)

# A title has one copy, with the same key. Loan i is number i / copies of copy i % copies, so that keys rise
# with time; the last of every third copy is open, and one in ten of those is overdue. Each time a copy goes
# round, another borrower has it.
_ROWS = {
    "catalogue_branch": """(id, code, name)
        SELECT i, 'branch-' || i, 'Branch ' || i FROM generate_series(1, %(branches)s) i""",
    "people_borrower": """(id, card_number, name, email, phone, address, blocked, retention)
        SELECT i, 'P' || i, (%(names)s::text[])[1 + i %% %(pool)s], '', '', '', '', 'default'
        FROM generate_series(1, %(borrowers)s) i""",
    "catalogue_book": """(id, control_number, title, subtitle, authors, publisher, language, isbn,
            description, cover, audio, category_source)
        SELECT i, 'B' || i, 'Title ' || i, '', 'Author ' || i %% 20000, '', 'en', '', repeat('word ', 40),
            '', '', 'none'
        FROM generate_series(1, %(books)s) i""",
    "catalogue_copy": """(id, barcode, book_id, branch_id, shelf_location, call_number, status, checkouts,
            renewals)
        SELECT i, 'K' || i, i, 1 + i %% %(branches)s, '', '',
            CASE WHEN i %% %(out)s = 0 THEN 'on_loan' ELSE 'available' END, %(loans)s / %(books)s, 0
        FROM generate_series(1, %(books)s) i""",
    "circulation_loanpolicy": """(branch_id, loan_days, max_loans, renewals_allowed, renewal_days,
            holds_allowed, fine_per_day, grace_days, fine_cap)
        SELECT nullif(i, 0), 28, 20, 2, 28, 10, 0.10, 2, 5 FROM generate_series(0, %(branches)s) i""",
    "circulation_loan": """(id, copy_id, borrower_id, branch_id, borrowed_at, due_at, returned_at, renewals,
            renewals_allowed, renewal_days, fine_per_day, grace_days, fine_cap)
        SELECT i, copy, 1 + (i::bigint * 7919 + i / %(books)s * 104729) %% %(borrowers)s,
            1 + copy %% %(branches)s, at,
            at + CASE WHEN copy %% (10 * %(out)s) = 0 THEN interval '1 day' ELSE interval '28 days' END,
            CASE WHEN is_last AND copy %% %(out)s = 0 THEN NULL ELSE at + interval '9 days' END, 0,
            2, 28, 0.10, 2, 5
        FROM (
            SELECT i, 1 + i %% %(books)s AS copy, i >= %(loans)s - %(books)s AS is_last,
                %(now)s::timestamptz - interval '10 days'
                    - (%(loans)s - i) * (interval '5 years' / %(loans)s) AS at
            FROM generate_series(0, %(loans)s - 1) i
        ) made""",
    "circulation_hold": """(id, book_id, borrower_id, placed_at, position, status)
        SELECT i, i * %(held)s, 1 + i %% %(borrowers)s, %(now)s, 1, 'waiting'
        FROM generate_series(1, %(books)s / %(held)s) i""",
    "circulation_loanevent": """(kind, at, book_id, copy_id, branch_id, loan_id, borrower_id)
        SELECT kind, CASE kind WHEN 'checkout' THEN borrowed_at ELSE returned_at END, copy_id, copy_id,
            branch_id, id, borrower_id
        FROM circulation_loan, unnest(ARRAY['checkout', 'checkin']) kind
        WHERE kind = 'checkout' OR returned_at IS NOT NULL ORDER BY id""",
    "circulation_fineentry": """(loan_id, borrower_id, kind, amount, reason, at)
        SELECT id, borrower_id, kind, 1, '', returned_at
        FROM circulation_loan, unnest(ARRAY['charge', 'payment']) kind
        WHERE id %% 50 = 0 AND returned_at IS NOT NULL ORDER BY id""",
}


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows a library has."""

    borrowers: int
    books: int
    loans: int

    def part(self, share: float) -> "Size":
        """Return a share of it."""
        return Size(*(max(1, int(number * share)) for number in (self.borrowers, self.books, self.loans)))


def load(size: Size, *, now: datetime, anew: bool = True) -> None:
    """Empty the tables and fill them anew; foreign keys are not asked, and indexes made afterwards.

    With `anew` false what is there stays; it must have other keys.
    """
    names = [key_ring().encrypt(f"Reader {number}") for number in range(NAMES)]
    values = {
        "borrowers": size.borrowers,
        "books": size.books,
        "loans": size.loans,
        "branches": BRANCHES,
        "out": OUT,
        "held": HELD,
        "names": names,
        "pool": NAMES,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        if anew:
            cursor.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY CASCADE")
        cursor.execute(
            """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
            WHERE indrelid = ANY(%s::regclass[])
            AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)""",
            [list(TABLES)],
        )
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for table in reversed(TABLES):
            cursor.execute(f"INSERT INTO {table} {_ROWS[table]}", values)
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )
        for _name, definition in indexes:
            cursor.execute(definition)
        cursor.execute("RESET session_replication_role; RESET synchronous_commit")
        for table in TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("CHECKPOINT")


def copies_at_hand(size: Size) -> list[int]:
    """Return the keys of the copies that stand on the shelves and that nobody waits for, shuffled."""
    keys = [key for key in range(1, size.books + 1) if key % OUT and key % HELD]
    random.Random(1).shuffle(keys)
    return keys
