"""Counters: what operators watch of sessions, by ``SESSION_METRICS``.

``instruments`` names everything that is counted or measured, ``recording`` is where the other rooms
tell it, and ``prometheus`` and ``opentelemetry`` pass it on. ``expected`` is what they have from
the start. ``switch`` turns that on and off. Off, nothing of this is called.
"""
