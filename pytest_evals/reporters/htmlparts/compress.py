"""JSON values as text in the page: gzip in base64. The browser decompresses it. Pure."""

import gzip
import json
from base64 import b64encode
from typing import Any


def pack(value: Any) -> str:
    """Return a JSON value as base64 text. Equal values give equal texts, without a time."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return b64encode(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)).decode("ascii")
