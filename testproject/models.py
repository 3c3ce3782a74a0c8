from django.db import models


class Comment(models.Model):
    text = models.CharField(max_length=280)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written"]

    def __str__(self) -> str:
        return self.text
