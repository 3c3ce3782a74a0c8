from django.apps import AppConfig


class SubclassesConfig(AppConfig):
    name = "tests.subclasses"
    label = "subclasses"
    default_auto_field = "django.db.models.BigAutoField"
