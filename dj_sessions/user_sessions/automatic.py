"""Sessions that end because something happens to their user: SESSION_END_ON says on what."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from dj_sessions.registry import current_request
from dj_sessions.signals import EndReason
from dj_sessions.user_sessions import ending, listing, table, writing
from dj_sessions.user_sessions.conf import conf

#: The fields that are looked at, each with the word in SESSION_END_ON.
FIELDS: Final = {
    "password": "password-change",
    "is_active": "deactivation",
    "is_staff": "permissions",
    "is_superuser": "permissions",
}
REASONS: Final = {
    "password-change": EndReason.PASSWORD_CHANGED,
    "deactivation": EndReason.DEACTIVATED,
    "permissions": EndReason.PERMISSIONS_CHANGED,
}
#: All that SESSION_END_ON may have.
WORDS: Final = (*REASONS, "deletion")
#: Where a user that is being saved, or deleted, keeps what is to be done afterwards.
NOTE: Final = "_sessions_to_end"


def connect() -> None:
    """Listen to users, and to what gives them permissions."""
    model: Any = get_user_model()
    # What is saved as a proxy, or as a model that inherits from the user's, is sent by that one.
    for users in filter(_is_of_users, apps.get_models()):
        pre_save.connect(before_save, sender=users)
        post_save.connect(after_save, sender=users)
        if users._meta.proxy or users is model:  # the user in another is deleted as one
            pre_delete.connect(before_delete, sender=users)
            post_delete.connect(after_delete, sender=users)
    for name in ("groups", "user_permissions"):
        field = getattr(model, name, None)
        if field is not None:
            m2m_changed.connect(permissions_changed, sender=field.through)
    if hasattr(model, "groups"):
        m2m_changed.connect(group_changed, sender=Group.permissions.through)
        pre_delete.connect(before_group_delete, sender=Group)


def _is_of_users(model: Any) -> bool:
    users: Any = get_user_model()
    return issubclass(model._meta.concrete_model, users._meta.concrete_model)


def before_save(
    sender: Any, instance: Any, raw: bool, using: str, update_fields: Any, **kwargs: Any
) -> None:
    """Note whether a user that exists is about to be changed in a way that ends sessions."""
    if raw or instance._state.adding:
        return
    written = {field.attname for field in sender._meta.concrete_fields}
    written &= written if update_fields is None else set(update_fields)
    watched = [name for name in FIELDS if name in written and FIELDS[name] in conf.SESSION_END_ON]
    if not watched:
        return
    before = sender._base_manager.using(using).filter(pk=instance.pk).values(*watched).first()
    changed = {FIELDS[name] for name in watched if before and _ends(name, before, instance)}
    if changed:
        # To be deactivated ends all of them, and so comes first.
        order = ("deactivation", "password-change", "permissions")
        setattr(instance, NOTE, next(word for word in order if word in changed))


def _ends(name: str, before: dict[str, Any], user: Any) -> bool:
    now = getattr(user, name)
    return bool(before[name] and not now) if name == "is_active" else before[name] != now


def after_save(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    """End the sessions when the change is committed."""
    word = vars(instance).pop(NOTE, None)
    if word is not None:
        keep = None if word == "deactivation" else own_session(instance.pk)
        _end_on_commit(using, instance.pk, keep, REASONS[word])


def before_delete(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Note the sessions of a user who is about to go, and the rows of the list as well."""
    if "deletion" in conf.SESSION_END_ON:
        setattr(instance, NOTE, list(listing.rows_of(instance.pk)))


def after_delete(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    """End them when that is committed, and take the user from the list."""
    rows, pk = vars(instance).pop(NOTE, []), instance.pk

    def end() -> None:
        ending.end_rows(rows, EndReason.USER_DELETED)
        writing.remove(table.rows().filter(user_id=pk))

    transaction.on_commit(end, using=using, robust=True)


def permissions_changed(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: Any, using: str, **kwargs: Any
) -> None:
    """End the sessions of users whose groups or permissions have changed."""
    if "permissions" not in conf.SESSION_END_ON or pk_set == set():  # there was no change
        return
    model: Any = get_user_model()
    if not reverse:
        users = [instance.pk] if action.startswith("post_") else []
    elif pk_set is not None:
        users = list(pk_set) if action.startswith("post_") else []
    else:  # those of a group or permission that loses all: afterwards nobody knows
        through = sender.objects.using(using).filter(**{f"{instance._meta.model_name}": instance})
        name = model._meta.model_name
        users = list(through.values_list(name, flat=True)) if action == "pre_clear" else []
    for pk in users:
        _end_on_commit(using, pk, own_session(pk), EndReason.PERMISSIONS_CHANGED)


def group_changed(
    sender: Any, instance: Any, action: str, pk_set: Any, using: str, **kwargs: Any
) -> None:
    """End the sessions of the members of a group whose permissions have changed."""
    if action.startswith("post_") and isinstance(instance, Group) and pk_set != set():
        _end_of_members(instance, using)


def before_group_delete(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    """End the sessions of the members of a group that goes: ``m2m_changed`` is not sent then."""
    _end_of_members(instance, using)


def _end_of_members(group: Group, using: str) -> None:
    if "permissions" in conf.SESSION_END_ON:
        members = get_user_model()._base_manager.using(using).filter(groups=group)
        for pk in members.values_list("pk", flat=True):
            _end_on_commit(using, pk, own_session(pk), EndReason.PERMISSIONS_CHANGED)


def _end_on_commit(using: str, pk: Any, keep: Any, reason: EndReason) -> None:
    # Robust: what else the site does on the commit is done in an outage of the store as well.
    transaction.on_commit(lambda: _end(pk, keep, reason), using=using, robust=True)


def _end(pk: Any, keep: Any, reason: EndReason) -> None:
    ending.end_sessions(pk, keep=keep, reason=reason)


def own_session(pk: Any) -> Any:
    """Return the session of the present request, if the user ``pk`` is logged in there."""
    request = current_request.get()
    session: Any = getattr(request, "session", None)
    owner = getattr(session, "_owner", None)
    return session if owner is not None and str(owner) == str(pk) else None
