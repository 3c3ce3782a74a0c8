from django.apps import AppConfig


class BookmarksConfig(AppConfig):
    name = "tests.interop.bookmarks"
    default_auto_field = "django.db.models.AutoField"
