"""Django's own tests of its sessions, run on dj_sessions: `python -m tests.upstream [--slow]`."""
