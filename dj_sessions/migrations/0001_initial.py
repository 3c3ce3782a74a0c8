"""The table as ``django.contrib.sessions`` makes it: where that ran, there is nothing to do."""

from django.db import migrations, models

import dj_sessions.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "session_key",
                    models.CharField(
                        verbose_name="session key",
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(verbose_name="expire date", db_index=True)),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
                "db_table": "django_session",
                "abstract": False,
            },
            managers=[("objects", dj_sessions.models.SessionManager())],
        ),
    ]
