"""Notices to borrowers: claim, compose, and send or queue for printing."""

from library.circulation.services.notices.delivery import MailServerError, mark_printed, send_notices
from library.circulation.services.notices.rendering import Letter, letters_to_print

__all__ = ["Letter", "MailServerError", "letters_to_print", "mark_printed", "send_notices"]
