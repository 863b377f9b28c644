"""The key ring: which keys encrypt borrowers' personal data, and which key searches it.

PRIVACY.md beside this package says how keys are made, kept and replaced.
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

#: What a Fernet key has; less could be guessed.
INDEX_KEY_LENGTH = 44


class KeysError(LibraryError):
    """The keys of borrowers' personal data are missing or misspelt."""


class UnreadableTokenError(LibraryError):
    """A ciphertext that no key of the ring opens: another key wrote it, or it was changed since."""


@dataclass(frozen=True)
class KeyRing:
    """Encrypts with the first key, decrypts with all.

    Parameters
    ----------
    keys : tuple of Fernet
        Newest first.
    index_key : bytes
        The key of the blind index.
    """

    keys: tuple[Fernet, ...]
    index_key: bytes

    def encrypt(self, text: str) -> str:
        return self.keys[0].encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str) -> str:
        """Return the text.

        Raises
        ------
        UnreadableTokenError
        """
        try:
            return MultiFernet(self.keys).decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise UnreadableTokenError(_("No key in BORROWER_KEYS opens this value.")) from error

    def rotate(self, token: str) -> str:
        """Return the token as it is if the first key wrote it, else the same text under the first key.

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
    """Return a new random key, for BORROWER_KEYS or BORROWER_INDEX_KEY."""
    return Fernet.generate_key().decode("ascii")


def key_ring() -> KeyRing:
    """Return the keys of the settings; a file is read again when it has changed.

    So a running system takes up a new key without a restart.

    Raises
    ------
    KeysError
        If a key is missing or no key.
    """
    return _ring(_secret("BORROWER_KEYS"), _secret("BORROWER_INDEX_KEY"))


def _secret(name: str) -> str:
    value: str = getattr(settings, name)
    if value:
        return value
    path: Path | None = getattr(settings, f"{name}_FILE")
    if path is None:
        raise KeysError(
            _("%(name)s is not set. Set it, or %(name)s_FILE to a file that holds it.") % {"name": name},
            setting=name,
        )
    try:
        state = path.stat()
        return _contents(path, state.st_mtime_ns, state.st_size, state.st_ino)
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(
            _(
                "The file of %(name)s cannot be read: %(error)s. "
                "Put it back from your copy, or name it in %(name)s_FILE."
            )
            % {"name": name, "error": error},
            setting=name,
        ) from error


@lru_cache(maxsize=4)
def _contents(path: Path, *_state: int) -> str:
    return path.read_text(encoding="ascii")


@lru_cache(maxsize=4)
def _ring(keys: str, index_key: str) -> KeyRing:
    written = keys.replace(",", " ").split()
    if not written:
        raise KeysError(
            _("BORROWER_KEYS holds no key. Make one with: manage.py new_borrower_key"),
            setting="BORROWER_KEYS",
        )
    index_key = index_key.strip()
    if len(index_key) < INDEX_KEY_LENGTH:
        raise KeysError(
            _(
                "BORROWER_INDEX_KEY is shorter than %(length)d characters. "
                "Put the right one back, or make one with: manage.py new_borrower_key"
            )
            % {"length": INDEX_KEY_LENGTH},
            setting="BORROWER_INDEX_KEY",
        )
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"library.people: blind index of borrowers")
    return KeyRing(
        keys=tuple(_fernet(number, key) for number, key in enumerate(written, 1)),
        index_key=derived.derive(index_key.encode()),
    )


def _fernet(number: int, key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:
        # The key itself is not repeated: messages end up in logs.
        raise KeysError(
            _(
                "Key %(number)d of BORROWER_KEYS is no key: 32 bytes in urlsafe base64 are wanted. "
                "Compare it with your copy, or make one with: manage.py new_borrower_key"
            )
            % {"number": number},
            setting="BORROWER_KEYS",
            number=number,
        ) from error
