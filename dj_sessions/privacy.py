"""How much is kept of a client's address, in the list of sessions and in logs: the settings say."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from django.http import HttpRequest
from django.utils.module_loading import import_string

from dj_sessions.conf import conf

__all__ = ["address_of"]

#: Bits of an address that are kept of a truncated one: a network's, and no household's.
KEPT_BITS: Final = {4: 24, 6: 48}


def address_of(request: HttpRequest) -> str | None:
    """Return the client's address as SESSION_IP_ADDRESS has it kept; None if there is none.

    It is ``REMOTE_ADDR``, or what the function of SESSION_CLIENT_ADDRESS returns for the request.
    """
    how = conf.SESSION_IP_ADDRESS
    if how == "none":
        return None
    find: Any = conf.SESSION_CLIENT_ADDRESS
    given = import_string(find)(request) if find else request.META.get("REMOTE_ADDR")
    return kept(given, whole=how == "full")


def kept(given: Any, *, whole: bool) -> str | None:
    """Return an address as it is kept; None for what is no address."""
    try:
        address = ip_address(str(given).strip().partition("%")[0])  # without an interface
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if whole:
        return str(address)
    network = ip_network((address, KEPT_BITS[address.version]), strict=False)
    return str(network.network_address)
