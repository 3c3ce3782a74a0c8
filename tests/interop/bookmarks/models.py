from django.contrib.sessions.models import Session
from django.db import models


class Bookmark(models.Model):
    session = models.ForeignKey(Session, models.CASCADE)
    page = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.page
