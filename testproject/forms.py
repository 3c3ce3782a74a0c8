from django import forms

from testproject.models import Comment

COLOURS = ["red", "amber", "green", "teal", "blue", "violet", "pink"]

EXPIRIES = {
    "default": (None, "The site's default: two weeks after the last change"),
    "minutes": (300, "Five minutes after the last change"),
    "browser": (0, "When the browser is closed"),
}


class ColourForm(forms.Form):
    colour = forms.ChoiceField(choices=[(colour, colour.title()) for colour in COLOURS])


class ExpiryForm(forms.Form):
    expiry = forms.ChoiceField(choices=[(name, label) for name, (_, label) in EXPIRIES.items()])


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ["text"]
