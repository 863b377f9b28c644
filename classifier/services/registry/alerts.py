"""Alerts: raised once, kept up to date, and cleared when their cause is fixed."""

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from classifier.messages import Message, render
from classifier.models import Alert

logger = logging.getLogger(__name__)


def raise_alert(*, kind: str, about: str, message: Message, now: datetime) -> None:
    """Open an alert, or update the open one; it is logged as an error when it is opened.

    Parameters
    ----------
    about
        Subject of the alert; one is open at a time per kind and subject.
    """
    open_alerts = Alert.objects.filter(kind=kind, about=about, cleared_at=None)
    if open_alerts.update(message=message):
        return
    try:
        with transaction.atomic():
            Alert.objects.create(kind=kind, about=about, message=message, created_at=now)
    except IntegrityError:  # another process has just opened it
        open_alerts.update(message=message)
    else:
        logger.error("%s", render(message))


def clear_alerts(*, kind: str, now: datetime) -> int:
    """Clear every open alert of a kind; return how many were open."""
    return Alert.objects.filter(kind=kind, cleared_at=None).update(cleared_at=now)


def set_alerts(*, kind: str, messages: Mapping[str, Message], now: datetime) -> None:
    """Make these the open alerts of a kind: messages by subject; all others are cleared."""
    Alert.objects.filter(kind=kind, cleared_at=None).exclude(about__in=list(messages)).update(cleared_at=now)
    for about, message in messages.items():
        raise_alert(kind=kind, about=about, message=message, now=now)
