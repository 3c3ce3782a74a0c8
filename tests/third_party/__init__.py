"""Tests of packages that use sessions, on dj_sessions: `python -m tests.third_party [NAME …]`."""
