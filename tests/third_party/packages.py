"""The packages whose own tests are run, with the list of users' sessions on."""

from __future__ import annotations

from dataclasses import dataclass

GITHUB = "https://github.com"


@dataclass(frozen=True)
class Package:
    """A package of the index. `tests_of` is where its tests are that its sdist does not have."""

    name: str
    version: str
    settings: str
    extras: str = ""
    needs: tuple[str, ...] = ()
    tests_of: str = ""

    @property
    def requirement(self) -> str:
        return f"{self.name}{self.extras}=={self.version}"

    @property
    def archive(self) -> str:
        """The address of its repository at this version's tag; empty where the sdist serves."""
        tag = f"{self.tests_of}/archive/refs/tags/{self.version}.tar.gz"
        return f"{GITHUB}/{tag}" if self.tests_of else ""


PACKAGES = (
    Package("django-axes", "8.3.1", "tests.settings"),
    Package("social-auth-app-django", "8.0.0", "tests.settings"),
    Package(
        "django-two-factor-auth",
        "1.18.1",
        "tests.settings",
        "[call,phonenumberslite]",
        ("freezegun",),
        "jazzband/django-two-factor-auth",
    ),
    Package(
        "django-hijack",
        "3.7.8",
        "tests.test_app.settings",
        needs=("docutils",),
        tests_of="django-hijack/django-hijack",
    ),
    Package(
        "django-allauth",
        "65.16.1",
        "tests.projects.regular.settings",
        "[headless,socialaccount,mfa,idp-oidc,openid,steam,saml]",
        (
            *("pytest-asyncio==1.3.0", "djangorestframework", "django-ninja"),
            *("psycopg[binary]", "pillow", "pyyaml"),
        ),
        "pennersr/django-allauth",
    ),
)
