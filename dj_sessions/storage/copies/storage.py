"""Interim."""

from dj_sessions.storage.base import Storage


class CopiedStorage(Storage):
    def __init__(self, rows, cache, alias, prefix, name, codec):
        self.rows = rows

    def __getattr__(self, n):
        return getattr(self.__dict__["rows"], n)

    def read(self, k):
        return self.rows.read_written(k)

    def read_latest(self, k):
        return self.rows.read_latest(k)

    def insert(self, k, r):
        return self.rows.insert(k, r)

    def replace(self, k, r, e):
        x = self.rows.replace(k, r, e)
        self.commit = self.rows.commit
        return x

    def remove(self, k, e=None):
        return self.rows.remove(k, e)

    def move(self, *a):
        return self.rows.move(*a)

    def holds(self, k):
        return self.rows.holds(k)

    def may_wait(self):
        return self.rows.may_wait()

    def start_purge(self, n):
        return self.rows.start_purge(n)

    def settle(self, k):
        pass

    def end_copy(self, k):
        pass
