"""Alarms: raised once, said in words, and cleared when what they are about is mended."""

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from classifier.messages import Sentence, spoken
from classifier.models import Alarm

logger = logging.getLogger(__name__)


def raise_alarm(*, kind: str, about: str, sentence: Sentence, now: datetime) -> None:
    """Open an alarm, or bring the open one up to date; it is logged as an error when it is opened.

    Parameters
    ----------
    kind : str
        One of `Alarm.Kind`.
    about : str
        What it is about: with `kind`, one is open at a time.
    sentence : dict
        What is wrong and what to do; see `classifier.messages`.
    now : datetime
    """
    still = Alarm.objects.filter(kind=kind, about=about, cleared_at=None)
    if still.update(sentence=sentence):
        return
    try:
        with transaction.atomic():
            Alarm.objects.create(kind=kind, about=about, sentence=sentence, since=now)
    except IntegrityError:  # another process has just opened it
        still.update(sentence=sentence)
    else:
        logger.error("%s", spoken(sentence))


def clear_alarms(*, kind: str, now: datetime) -> int:
    """Clear every open alarm of a kind; return how many there were."""
    return Alarm.objects.filter(kind=kind, cleared_at=None).update(cleared_at=now)


def settle_alarms(*, kind: str, found: Mapping[str, Sentence], now: datetime) -> None:
    """Let exactly what was found stand as open alarms of a kind: by what it is about, its sentence."""
    Alarm.objects.filter(kind=kind, cleared_at=None).exclude(about__in=list(found)).update(cleared_at=now)
    for about, sentence in found.items():
        raise_alarm(kind=kind, about=about, sentence=sentence, now=now)
