"""The setting of the counters."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error

from dj_sessions._metrics.switch import BrokenClient, UnknownRecorder, named_in, recorder_of
from dj_sessions.checks._shared import AppConfigs, Messages
from dj_sessions.conf import conf


def check_metrics(app_configs: AppConfigs, **kwargs: Any) -> Messages:
    """Report names that nobody can be told by."""
    for name in named_in(conf.SESSION_METRICS):
        try:
            recorder_of(name)
        except BrokenClient as error:
            yield Error(error.said, hint=error.remedy, id="dj_sessions.E115")
        except UnknownRecorder as error:
            yield Error(error.said, hint=error.remedy, id="dj_sessions.E114")
