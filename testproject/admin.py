from django.contrib import admin

from testproject.models import Comment


@admin.register(Comment)
class CommentAdmin(admin.ModelAdmin):
    list_display = ["text", "written"]
