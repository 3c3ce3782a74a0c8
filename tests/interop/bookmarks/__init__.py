"""Somebody's app whose table points at the sessions, as many a site has one."""
