from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("sessions", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Bookmark",
            fields=[
                (
                    "id",
                    models.AutoField(
                        primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                    ),
                ),
                ("page", models.CharField(max_length=100)),
                ("session", models.ForeignKey(on_delete=models.CASCADE, to="sessions.session")),
            ],
        ),
    ]
