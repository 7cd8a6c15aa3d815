"""A text that never shows itself."""

import hmac
from typing import NoReturn


class Secret:
    """Keep a credential out of prints, logs, pickles and JSON; `reveal()` is the only way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that sends it or computes with it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is neither pickled nor deep-copied")

    def _bytes(self) -> bytes:
        return self._text.encode("utf-8", "surrogateescape")
