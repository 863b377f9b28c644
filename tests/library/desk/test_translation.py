import pytest
from django.apps import apps
from django.utils import translation

MODELS = [
    model
    for label in ("rest", "catalogue", "people", "circulation", "analytics", "classifier")
    for model in apps.get_app_config(label).get_models()
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_everything_a_model_is_called_has_a_chinese_name(model):
    names = [model._meta.verbose_name, model._meta.verbose_name_plural]
    names += [field.verbose_name for field in model._meta.fields if not field.primary_key]
    with translation.override("zh-hans"):
        plain_english = [str(name) for name in names if str(name).isascii()]
    assert plain_english in ([], ["ISBN"])
