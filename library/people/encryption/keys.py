"""The key ring: the keys that encrypt borrowers' personal data, and the key of the search index.

See PRIVACY.md for how to create, store and replace keys.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _

from library.errors import LibraryError

#: The length of a Fernet key; shorter keys could be guessed.
MIN_INDEX_KEY_LENGTH = 44


class KeysError(LibraryError):
    """The keys of borrowers' personal data are missing or malformed."""


class UnreadableTokenError(LibraryError):
    """A ciphertext that no key of the ring decrypts: another key wrote it, or it was altered."""


@dataclass(frozen=True)
class KeyRing:
    """Encrypt with the first key, decrypt with all.

    Attributes
    ----------
    keys
        Newest first.
    index_key
        The key of the blind index.
    """

    keys: tuple[Fernet, ...]
    index_key: bytes

    def encrypt(self, text: str) -> str:
        return self.keys[0].encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str) -> str:
        """Return the plain text. Raises `UnreadableTokenError`."""
        try:
            return MultiFernet(self.keys).decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise UnreadableTokenError(_("No key in BORROWER_KEYS can decrypt this value.")) from error

    def rotate(self, token: str) -> str:
        """Return the token unchanged if the first key wrote it, else re-encrypted with the first key.

        Raises
        ------
        UnreadableTokenError
        """
        if not token:
            return token
        try:
            self.keys[0].decrypt(token.encode())
        except InvalidToken:
            return self.encrypt(self.decrypt(token))
        return token


def new_key() -> str:
    """Return a new random key for BORROWER_KEYS or BORROWER_INDEX_KEY."""
    return Fernet.generate_key().decode("ascii")


def key_ring() -> KeyRing:
    """Return the keys in the settings. A key file is read again when it changes, without a restart.

    Raises
    ------
    KeysError
        If a key is missing or malformed.
    """
    return _ring(_secret("BORROWER_KEYS"), _secret("BORROWER_INDEX_KEY"))


def _secret(name: str) -> str:
    value: str = getattr(settings, name)
    if value:
        return value
    path: Path | None = getattr(settings, f"{name}_FILE")
    if path is None:
        raise KeysError(
            _("%(name)s is not set. Set it, or set %(name)s_FILE to a file that contains it.")
            % {"name": name},
            setting=name,
        )
    try:
        state = path.stat()
        return _contents(path, state.st_mtime_ns, state.st_size, state.st_ino)
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(
            _(
                "Cannot read the file for %(name)s: %(error)s. Restore it from your backup, or set "
                "%(name)s_FILE to its location."
            )
            % {"name": name, "error": error},
            setting=name,
        ) from error


@lru_cache(maxsize=4)
def _contents(path: Path, *_state: int) -> str:
    return path.read_text(encoding="ascii")


@lru_cache(maxsize=4)
def _ring(keys: str, index_key: str) -> KeyRing:
    encoded_keys = keys.replace(",", " ").split()
    if not encoded_keys:
        raise KeysError(
            _("BORROWER_KEYS contains no keys. Create one with: manage.py new_borrower_key"),
            setting="BORROWER_KEYS",
        )
    index_key = index_key.strip()
    if len(index_key) < MIN_INDEX_KEY_LENGTH:
        raise KeysError(
            _(
                "BORROWER_INDEX_KEY is shorter than %(length)d characters. Restore the correct key, "
                "or create one with: manage.py new_borrower_key"
            )
            % {"length": MIN_INDEX_KEY_LENGTH},
            setting="BORROWER_INDEX_KEY",
        )
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"library.people: blind index of borrowers")
    return KeyRing(
        keys=tuple(_fernet(number, key) for number, key in enumerate(encoded_keys, 1)),
        index_key=derived.derive(index_key.encode()),
    )


def _fernet(number: int, key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:
        # Never include the key itself: messages end up in logs.
        raise KeysError(
            _(
                "Key %(number)d in BORROWER_KEYS is not 32 bytes in URL-safe base64. Compare it with "
                "your backup, or create one with: manage.py new_borrower_key"
            )
            % {"number": number},
            setting="BORROWER_KEYS",
            number=number,
        ) from error
