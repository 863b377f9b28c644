"""Notices to borrowers: claimed, composed, sent or left to be printed."""

from library.circulation.services.notices.letters import Letter, letters_to_print
from library.circulation.services.notices.sending import MailServerError, mark_printed, send_notices

__all__ = ["Letter", "MailServerError", "letters_to_print", "mark_printed", "send_notices"]
