from django.apps import AppConfig


class TestProjectConfig(AppConfig):
    name = "testproject"
    verbose_name = "Demo site"
