"""What encryption takes from the package ``cryptography``: imported where a site encrypts."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["AESGCM", "HKDF", "SHA256", "InvalidTag"]
