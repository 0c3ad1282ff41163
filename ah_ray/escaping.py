"""Text made safe for rows, logs and terminals: control characters escaped, secrets left out."""

from __future__ import annotations

import re

_PARAMETERS = (
    r"X-(?:Amz|Goog|Oss|Cos|Tos|Obs)-(?:Signature|Security-Token|Credential)"  # signed URLs
    r"|q-(?:signature|ak)|x-cos-security-token|Signature|sig|Policy|Key-Pair-Id"
    r"|(?:AWS|OSS)?AccessKeyId|GoogleAccessId|Expires-Signature|security-token|sas(?:_token)?"
    r"|(?:access_|id_|refresh_|auth_|session_|bearer_|api_)?token|jwt|auth(?:orization)?"
    r"|(?:api[_-]?|access[_-]?|secret[_-]?|private[_-]?|account[_-]?)key|key"
    r"|(?:client_)?secret|pass(?:word|wd|phrase)?|pwd|credentials?"
)
"""Names of URL parameters that hold secrets: of large clouds, and in general use."""

_SECRETS = re.compile(
    r"(?<=://)[^/\s@:]*:(?!\d{1,5}/)[^\s@]+(?=@)"  # user:password@, which may hold a slash
    r"|(?<=http://)[^/\s@]+(?=@)|(?<=https://)[^/\s@]+(?=@)"  # token@
    r"|(?<=[?&#;])((?:" + _PARAMETERS + r")=)[^&#\s'\"]+",
    re.IGNORECASE,
)


def escape_text(text: str) -> str:
    """Return the text on one line, safe for rows, logs and terminals.

    Characters that cannot be printed, such as a terminal's control sequences, are escaped; secrets
    in URLs are removed.
    """
    return remove_secrets("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def remove_secrets(text: str) -> str:
    """Return the text without the passwords and signatures that URIs may hold."""
    return _SECRETS.sub(lambda found: (found[1] or "") + "…", text)


def holds_secret(text: str) -> bool:
    """Return whether a URI in the text holds a password or a signature."""
    return _SECRETS.search(text) is not None
