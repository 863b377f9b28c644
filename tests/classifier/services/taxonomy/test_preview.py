"""Preview of category changes, and the command."""

import pytest
from django.core.management import CommandError, call_command

from classifier.services.registry.versions import active_version
from classifier.services.taxonomy.changes import apply
from classifier.services.taxonomy.preview import preview
from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import (
    Child,
    Merge,
    Move,
    Retire,
    Split,
)
from library.circulation.models import Loan
from tests.classifier.factories import (
    make_version,
)
from tests.factories import NOW, make_book, make_loan


def test_preview_changes_nothing(trained):
    book = Book.objects.filter(category=trained["AST"]).first()
    make_loan(book=book)
    loans = preview(change_request=Retire(category=trained["HIS"].pk, books_to="unfiled"), now=NOW)["loans"]
    found = preview(change_request=Merge(sources=(trained["AST"].pk,), into=trained["COO"].pk), now=NOW)
    assert found["books"] == {"moved": 15, "trusted": 15, "model": 0, "undecided": 0}
    assert found["to"] == [{"category": "COO", "new": False, "books": 15}]
    lent = Loan.objects.filter(copy__book__category=trained["AST"]).count()
    assert found["loans"] == {"all": lent, "open": 1}
    assert loans["open"] == 0
    assert found["reviews"]["needed"] == 0
    assert (found["suggestions"], found["categories"]) == (0, 0)
    judged = found["accuracy"]
    assert judged["now"]["books"] == active_version().metrics["held_out"]
    assert not TaxonomyChange.objects.exists()
    assert Book.objects.filter(category=trained["AST"]).count() == 15


def version_with(cells, *notations):
    classes = [f"local/{notation}" for notation in notations]
    return make_version(state="active", metrics={"confusion": cells, "classes": classes})


def test_preview_of_accuracy(three):
    a, b, _c = three
    version = version_with([[0, 0, 10], [0, 1, 10], [1, 1, 20]], "a", "b")
    judged = preview(change_request=Merge(sources=(a.pk,), into=b.pk), now=NOW)["accuracy"]
    assert (judged["version"], judged["now"]["accuracy"], judged["then"]["accuracy"]) == (
        version.name,
        0.75,
        1,
    )
    moved = preview(change_request=Move(category=a.pk, parent=b.pk), now=NOW)["accuracy"]
    assert moved["then"] == moved["now"]


def test_a_preview_says_what_cannot_be_known(three):
    a, b, _c = three
    change_request = Merge(sources=(a.pk,), into=b.pk)
    assert preview(change_request=change_request, now=NOW)["notes"] == [
        "Accuracy is unknown: no model version is active."
    ]
    version_with([[0, 0, 3], [2, 2, 40]], "a", "b", "c")
    assert preview(change_request=change_request, now=NOW)["notes"] == [
        "Too few test books (3) in these categories to estimate how well they are recognised."
    ]


def test_preview_of_a_split(three):
    whole = three[0]
    for number in range(12):
        make_book(control_number=f"s{number}", title=f"Soup of leek {number}", category=whole)
        make_book(control_number=f"k{number}", title=f"Knitting wool {number}", category=whole)
    make_book(control_number="odd", title="qqq", category=whole)
    version_with([[0, 0, 45], [0, 1, 5]], "a", "b")
    words = (Child(notation="1", words=("soup",)), Child(notation="2", words=("knitting",)))
    found = preview(change_request=Split(category=whole.pk, children=words, rule="words"), now=NOW)
    assert found["undecided"] == ["odd"]
    assert found["accuracy"]["now"]["accuracy"] == found["accuracy"]["then"]["accuracy"] == 0.9
    assert found["accuracy"]["then"]["macro_f1"] is None
    reviews = found["reviews"]
    assert reviews["separability"] == {"books": 24, "share": 1.0}
    assert (reviews["examples"], reviews["missing"], reviews["needed"]) == (1, 0, 1)
    nearest = (Child(notation="1", books=("s0", "s1")), Child(notation="2", books=("k0", "k1")))
    change_request = Split(category=whole.pk, children=nearest, rule="nearest")
    found = preview(change_request=change_request, now=NOW)
    assert (found["books"]["undecided"], found["reviews"]["guessed"], found["reviews"]["needed"]) == (
        1,
        20,
        21,
    )
    assert "Too few books (4)" in found["notes"][0]
    apply(change_request=change_request, now=NOW)
    soups = Book.objects.filter(category__notation="1").values_list("control_number", "category_source")
    assert dict(soups) == {f"s{number}": "librarian" if number < 2 else "model" for number in range(12)}


def test_the_command_previews_does_and_undoes(three, capsys, tmp_path):
    a, b, c = three
    make_book(control_number="x", category=a)
    call_command("taxonomy", "merge", "a", "c", "--into", "b", "--preview")
    assert not TaxonomyChange.objects.exists()
    printed = capsys.readouterr().out
    assert "Books to be moved: 1 (filed by a person or an import: 1)\n  → b: 1\n" in printed
    assert printed.endswith("Nothing was changed. Run the command without --preview to apply the change.\n")
    assert "{" not in printed
    call_command("taxonomy", "merge", "a", "c", "--into", "b", "--json")
    change = TaxonomyChange.objects.get()
    assert f'"change": {change.pk}' in capsys.readouterr().out
    call_command("taxonomy", "undo", str(change.pk))
    assert a.books.count() == 1
    name = f"Category change {change.pk} (merge: {change.summary})"
    assert capsys.readouterr().out == f"{name} undone. Books moved back: 1, not moved back: 0.\n"
    file = tmp_path / "children.csv"
    file.write_text("notation,label_en,id\na.1,First,x\n", encoding="utf-8")
    call_command("taxonomy", "split", "a", "--children", str(file))
    assert Category.objects.get(notation="a.1").books.get().control_number == "x"
    call_command("taxonomy", "move", "c", "--parent", "b")
    call_command("taxonomy", "move", "c", "--top")
    call_command("taxonomy", "retire", "c", "--books-to", "unfiled")
    c.refresh_from_db()
    assert (c.parent, c.retired_at is None, b.books.count()) == (None, False, 0)
    with pytest.raises(CommandError, match="There is no category nowhere in the scheme local"):
        call_command("taxonomy", "retire", "nowhere")
    with pytest.raises(CommandError, match="There is no taxonomy change 0"):
        call_command("taxonomy", "undo", "0")
