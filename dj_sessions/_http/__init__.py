"""What a response owes the session, its cookie, and what an error report may show of it.

For the middleware and the checks. ``decision`` is a pure function of flags and numbers.
"""
