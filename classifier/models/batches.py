"""Reclassifications: what each changed, and what is still to be done of one that goes on.

A row of its own and not the run itself: a run is closed for ever when its job is done, while a batch goes on
to be accepted or undone, and a candidate version's proposal is a batch without a run of this kind.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models.runs import Run
from classifier.models.versions import ModelVersion
from library.catalogue.models import Book, Category

TRUSTED_SOURCES = [Book.CategorySource.IMPORTED, Book.CategorySource.LIBRARIAN]
"""Whose categories the model learns from, for its own guesses would only confirm themselves; and over which
nothing automatic writes."""


class Reclassification(models.Model):
    """A batch of books classified by one version, and what it changed."""

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")  # what a version would say; nothing is changed
        APPLIED = "applied", _("applied")
        PARTLY_ACCEPTED = "partly", _("partly accepted")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    #: In these the suggestions are the batch's.
    IN_EFFECT = (State.APPLIED, State.PARTLY_ACCEPTED)

    run = models.ForeignKey(
        Run,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="reclassifications",
        verbose_name=_("run"),
    )
    model_version = models.ForeignKey(
        ModelVersion,
        models.CASCADE,
        related_name="reclassifications",
        verbose_name=_("model version"),
    )
    state = models.CharField(_("state"), max_length=10, choices=State)
    made_at = models.DateTimeField(_("made"))
    #: Of the suggestions wanted, see `SUGGESTION_PRECISION`.
    precision = models.FloatField(_("precision"))
    books = models.PositiveIntegerField(_("books"))
    #: How many books, by `Change.Kind`; without those that stayed as they were.
    changed = models.JSONField(_("changed"), default=dict, blank=True)
    #: Whether every chunk of it is done; one that was cancelled never is.
    complete = models.BooleanField(_("complete"), default=False)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("undone by"),
    )
    #: What stayed when it was undone: how many books, by reason.
    kept = models.JSONField(_("stayed as they were"), default=dict, blank=True)

    class Meta:
        verbose_name = _("reclassification")
        verbose_name_plural = _("reclassifications")
        ordering = ["-made_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["run"], condition=~Q(state="proposed"), name="reclassification_one_a_run"
            ),
            models.CheckConstraint(
                condition=Q(state="undone", undone_at__isnull=False)
                | (~Q(state="undone") & Q(undone_at__isnull=True)),
                name="reclassification_undone_has_time",
            ),
        ]

    def __str__(self) -> str:
        return _("Reclassification %s") % self.pk


class Chunk(models.Model):
    """Books of a batch that one process classifies at a time; the rows go when the batch is done."""

    reclassification = models.ForeignKey(
        Reclassification, models.CASCADE, related_name="chunks", verbose_name=_("reclassification")
    )
    number = models.PositiveIntegerField(_("number"))
    #: Primary keys: what a batch is about is decided once, however many processes work on it.
    book_ids = models.JSONField(_("books"))
    size = models.PositiveIntegerField(_("number of books"))
    taken_at = models.DateTimeField(_("taken at"), null=True, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    suggestions = models.PositiveIntegerField(_("suggestions"), default=0)
    abstained = models.PositiveIntegerField(_("abstained"), default=0)

    class Meta:
        verbose_name = _("chunk")
        verbose_name_plural = _("chunks")
        ordering = ["reclassification", "number"]
        constraints = [
            models.UniqueConstraint(fields=["reclassification", "number"], name="chunk_number"),
        ]

    def __str__(self) -> str:
        return f"{self.reclassification}: {self.number}"


class Change(models.Model):
    """What a batch did to one book's first suggestion, and how to take it back."""

    class Kind(models.TextChoices):
        NEW = "new", _("first suggestion")
        MOVED = "moved", _("another category")
        SURER = "surer", _("sure enough now")
        UNSURE = "unsure", _("no longer sure enough")
        GONE = "gone", _("no suggestion any more")
        SAME = "same", _("as before")

    reclassification = models.ForeignKey(
        Reclassification, models.CASCADE, related_name="changes", verbose_name=_("reclassification")
    )
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    kind = models.CharField(_("change"), max_length=10, choices=Kind)
    from_category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("from category")
    )
    from_probability = models.FloatField(_("probability before"), null=True)
    from_abstained = models.BooleanField(_("abstained before"), null=True)
    to_category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("to category")
    )
    to_probability = models.FloatField(_("probability"), null=True)
    to_abstained = models.BooleanField(_("abstained"), null=True)
    #: How the book was filed when the batch came by: filed otherwise since, a person has decided.
    filed_category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("filed under")
    )
    filed_source = models.CharField(_("category source"), max_length=10, choices=Book.CategorySource)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("accepted by"),
    )
    #: The book's suggestions as they were, column by column; emptied when a later batch comes by.
    before = models.JSONField(_("suggestions before"), default=list)
    superseded = models.BooleanField(_("classified again since"), default=False)
    taken_back = models.BooleanField(_("taken back"), default=False)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ["reclassification", "-to_probability", "id"]
        constraints = [
            models.UniqueConstraint(fields=["reclassification", "book"], name="change_once_a_book"),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.from_category or '-'} → {self.to_category or '-'}"


class Reading(models.Model):
    """What was last read of a book to classify it: with the same again, there is nothing to do."""

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="reading", verbose_name=_("book")
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=32)
    #: Its suggestions were taken back: none is made again before something has changed.
    undone = models.BooleanField(_("undone"), default=False)

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")

    def __str__(self) -> str:
        return f"{self.book}: {self.fingerprint}"
