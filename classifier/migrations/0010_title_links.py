import django.db.models.deletion
from django.db import migrations, models


def forget_old_lists(apps, schema_editor):
    """The old rows do not say what they were made from; the next run of `recommend` makes them anew."""
    apps.get_model("classifier", "Recommendation").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0001_initial"),
        ("classifier", "0009_listings"),
    ]

    operations = [
        migrations.RunPython(forget_old_lists, migrations.RunPython.noop),
        migrations.CreateModel(
            name="TitleLinks",
            fields=[
                (
                    "book",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="links",
                        serialize=False,
                        to="catalogue.book",
                        verbose_name="book",
                    ),
                ),
                ("following", models.BinaryField(verbose_name="titles that follow")),
                ("alike", models.BinaryField(verbose_name="similar titles")),
                ("digest", models.BigIntegerField(verbose_name="digest")),
            ],
            options={
                "verbose_name": "links of a title",
                "verbose_name_plural": "links of titles",
                "default_permissions": (),
            },
        ),
        migrations.RemoveField(model_name="recommendation", name="reason"),
        migrations.AddField(
            model_name="recommendation",
            name="sources",
            field=models.CharField(default="", max_length=50, verbose_name="sources"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="recommendation",
            name="because",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalogue.book",
                verbose_name="because of",
            ),
        ),
        migrations.AddField(
            model_name="recommendation",
            name="basis",
            field=models.BigIntegerField(default=0, verbose_name="basis"),
            preserve_default=False,
        ),
        migrations.DeleteModel(name="SimilarBook"),
    ]
