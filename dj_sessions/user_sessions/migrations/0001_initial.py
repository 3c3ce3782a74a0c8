"""The table of the list."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="UserSession",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "stored_key",
                    models.CharField(
                        db_index=True, editable=False, max_length=255, verbose_name="stored key"
                    ),
                ),
                ("public_id", models.CharField(max_length=16, verbose_name="public id")),
                ("engine", models.CharField(max_length=255, verbose_name="engine")),
                ("created", models.DateTimeField(verbose_name="logged in")),
                ("last_seen", models.DateTimeField(verbose_name="last seen")),
                ("expires", models.DateTimeField(db_index=True, verbose_name="expires")),
                (
                    "ip_address",
                    models.GenericIPAddressField(blank=True, null=True, verbose_name="IP address"),
                ),
                (
                    "user_agent",
                    models.CharField(blank=True, max_length=255, verbose_name="user agent"),
                ),
                (
                    "ended",
                    models.DateTimeField(
                        blank=True, db_index=True, null=True, verbose_name="ended"
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=32, verbose_name="reason")),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "session of a user",
                "verbose_name_plural": "sessions of users",
                "ordering": ["-created", "-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("public_id", "user"), name="dj_user_sessions_one_row_per_user"
                    )
                ],
            },
        ),
    ]
