from datetime import timedelta

from django import forms

from testproject.models import Comment

COLOURS = ["red", "amber", "green", "teal", "blue", "violet", "pink"]

EXPIRIES = {
    "default": (None, "The site's default: two weeks after the last use"),
    "minutes": (300, "Five minutes after the last use"),
    "browser": (0, "When the browser is closed"),
}


LIMITS = {
    "site": (None, "When the site's own limits say so"),
    "unused": (60, "After a minute without use"),
    "fixed": (timedelta(minutes=2), "In two minutes, however busy you are"),
}


class ColourForm(forms.Form):
    colour = forms.ChoiceField(choices=[(colour, colour.title()) for colour in COLOURS])


class ExpiryForm(forms.Form):
    expiry = forms.ChoiceField(choices=[(name, label) for name, (_, label) in EXPIRIES.items()])


class LimitForm(forms.Form):
    limit = forms.ChoiceField(choices=[(name, label) for name, (_, label) in LIMITS.items()])


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ["text"]
