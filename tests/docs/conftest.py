"""What the tests of the documentation's examples share."""

from importlib import import_module

import pytest

from tests.docs.pages import docs, example_site


@pytest.fixture
def example(tmp_path):
    """Import a file of a page, by the names of both."""
    with example_site(tmp_path) as write:

        def load(page, module):
            write(docs(page))
            return import_module(module)

        yield load
