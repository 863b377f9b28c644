import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.utils import translation
from django.utils.translation.template import templatize

from classifier.models import ModelVersion

ROOT = Path(__file__).parents[3]
MODELS = [
    model
    for label in ("rest", "catalogue", "people", "circulation", "analytics", "classifier")
    for model in apps.get_app_config(label).get_models()
]
#: Functions that mark text for translation, and how many of their arguments are text.
MARKERS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy"), 1),
    **dict.fromkeys(("ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"), 2),
}
#: Text that is the same in both languages.
UNTRANSLATED = {("REST API",), ("API",)}


def marked_in_python(source):
    """Yield the name of each marker in Python source, and its text arguments."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MARKERS:
            texts = call.args[: MARKERS[call.func.id]]
            if all(isinstance(text, ast.Constant) for text in texts):
                yield call.func.id, tuple(text.value for text in texts)


def marked_in_template(source):
    # Django turns a template into Python-like source for xgettext, with letters for all other content.
    for call in re.findall(r"gettext\((?:u'(?:[^'\\]|\\.)*'|u\"(?:[^\"\\]|\\.)*\"|, )+", templatize(source)):
        texts = ast.literal_eval(f"({call.removeprefix('gettext(').rstrip(', ')},)")
        yield "ngettext" if len(texts) == 2 else "gettext", texts


def chinese(mark, texts):
    if mark.startswith("n"):
        return translation.ngettext(*texts, 2)
    return translation.pgettext(*texts) if mark.startswith("p") else translation.gettext(*texts)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_model_names_have_a_translation(model):
    names = [model._meta.verbose_name, model._meta.verbose_name_plural]
    names += [field.verbose_name for field in model._meta.fields if not field.primary_key]
    with translation.override("zh-hans"):
        plain_english = [str(name) for name in names if str(name).isascii()]
    assert plain_english in ([], ["ISBN"])


@pytest.mark.parametrize(
    ("folder", "pattern", "read"),
    [
        ("library", "*.py", marked_in_python),
        ("classifier", "*.py", marked_in_python),
        ("templates", "*.html", marked_in_template),
    ],
)
def test_marked_text_has_a_translation(folder, pattern, read):
    calls = [
        call for path in (ROOT / folder).rglob(pattern) for call in read(path.read_text(encoding="utf-8"))
    ]
    assert len(calls) > 100
    with translation.override("zh-hans"):
        assert {texts for mark, texts in calls if chinese(mark, texts) in texts} <= UNTRANSLATED


def test_active_user_and_active_version_have_different_words():
    with translation.override("zh-hans"):
        user = str(get_user_model()._meta.get_field("is_active").verbose_name)
        assert (user, ModelVersion.State.ACTIVE.label) == ("有效", "使用中")
