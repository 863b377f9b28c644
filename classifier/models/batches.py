"""Batches: the changes of each, and the remaining chunks of an active one.

A batch is not part of its run: the run ends with its job, while the batch can be accepted or undone later,
and a candidate version's proposal is a batch of another kind of run.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.models.runs import Run
from classifier.models.versions import ModelVersion
from library.catalogue.models import Book, Category

TRUSTED_SOURCES = [Book.CategorySource.IMPORTED, Book.CategorySource.LIBRARIAN]
"""Sources of categories that the model learns from, and that nothing automatic overwrites."""


class Batch(models.Model):
    """Books classified together by one version, and what that changed."""

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")  # what a version would change
        APPLIED = "applied", _("applied")
        PARTLY_ACCEPTED = "partly", _("partly accepted")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    #: In these states the batch has set the suggestions.
    IN_EFFECT = (State.APPLIED, State.PARTLY_ACCEPTED)

    run = models.ForeignKey(
        Run,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="batches",
        verbose_name=_("job"),
    )
    model_version = models.ForeignKey(
        ModelVersion,
        models.CASCADE,
        related_name="batches",
        verbose_name=_("model version"),
    )
    state = models.CharField(_("state"), max_length=10, choices=State)
    created_at = models.DateTimeField(_("created at"))
    #: See `SUGGESTION_PRECISION`.
    precision = models.FloatField(_("target precision"))
    books = models.PositiveIntegerField(_("books"))
    #: Number of changed books by `Change.Kind`.
    changed = models.JSONField(_("changed"), default=dict, blank=True)
    #: Whether every chunk is done; never for a cancelled batch.
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
    #: Number of books that undo did not restore, by reason.
    unchanged = models.JSONField(_("not reverted"), default=dict, blank=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["run"], condition=~Q(state="proposed"), name="batch_one_per_run"),
            models.CheckConstraint(
                condition=Q(state="undone", undone_at__isnull=False)
                | (~Q(state="undone") & Q(undone_at__isnull=True)),
                name="batch_undone_has_time",
            ),
        ]

    def __str__(self) -> str:
        return _("Batch %s") % self.pk


class Chunk(models.Model):
    """Books of a batch that one worker classifies together; deleted when the batch is complete."""

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="chunks", verbose_name=_("batch"))
    number = models.PositiveIntegerField(_("number"))
    #: Primary keys: the books of a batch are chosen once, however many workers process it.
    book_ids = models.JSONField(_("books"))
    size = models.PositiveIntegerField(_("number of books"))
    taken_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    done_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    suggestions = models.PositiveIntegerField(_("suggestions"), default=0)
    abstained = models.PositiveIntegerField(_("low confidence"), default=0)

    class Meta:
        verbose_name = _("chunk")
        verbose_name_plural = _("chunks")
        ordering = ["batch", "number"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="chunk_number"),
        ]

    def __str__(self) -> str:
        return f"{self.batch}: {self.number}"


class Change(models.Model):
    """Effect of a batch on the first suggestion of a book, and the state to restore."""

    class Kind(models.TextChoices):
        NEW = "new", _("New suggestion")
        MOVED = "moved", _("Different category")
        SURER = "surer", _("Confidence now sufficient")
        UNSURE = "unsure", _("Confidence no longer sufficient")
        GONE = "gone", _("Suggestion removed")
        SAME = "same", _("Unchanged")

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="changes", verbose_name=_("batch"))
    book = models.ForeignKey(Book, models.CASCADE, related_name="+", verbose_name=_("book"))
    kind = models.CharField(_("change"), max_length=10, choices=Kind)
    from_category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("previous category")
    )
    from_probability = models.FloatField(_("previous probability"), null=True)
    from_abstained = models.BooleanField(_("previously low confidence"), null=True)
    to_category = models.ForeignKey(
        Category, models.SET_NULL, null=True, related_name="+", verbose_name=_("new category")
    )
    to_probability = models.FloatField(_("probability"), null=True)
    to_abstained = models.BooleanField(_("low confidence"), null=True)
    #: The book's category during the batch: if it has changed since, a person has decided.
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
    #: The earlier suggestions, as rows of columns; emptied by a later batch.
    before = models.JSONField(_("suggestions before the change"), default=list)
    superseded = models.BooleanField(_("reclassified later"), default=False)
    undone = models.BooleanField(_("reverted"), default=False)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ["batch", "-to_probability", "id"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "book"], name="change_one_per_book"),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.from_category or '-'} → {self.to_category or '-'}"


class BookFingerprint(models.Model):
    """Fingerprint of a book at its last classification: if it is unchanged, there is nothing to do."""

    book = models.OneToOneField(
        Book, models.CASCADE, primary_key=True, related_name="fingerprint", verbose_name=_("book")
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=32)
    #: Its suggestions were undone: the book is not classified again until it has changed.
    undone = models.BooleanField(_("undone"), default=False)

    class Meta:
        verbose_name = _("book fingerprint")
        verbose_name_plural = _("book fingerprints")

    def __str__(self) -> str:
        return f"{self.book}: {self.fingerprint}"
