"""Unpack compressed bodies within a limit: what is over it is never unpacked. Pure but for zlib."""

import zlib
from collections.abc import Iterator, Sequence

MOST_ENCODINGS = 3
"""The most encodings of one body, each applied to the result of the one before."""
_PIECE = 256 * 1024
"""Bytes that one step unpacks at most: a step takes about a millisecond."""


class UnpackingError(ValueError):
    """A body is not compressed as its header says, or in a way that is not supported."""


class TooLargeError(ValueError):
    """A body has more bytes than its limit, in one of its encodings."""


class Unpacker:
    """Unpacks one body, piece by piece.

    Args:
        encodings: the values of ``content-encoding``, in the order in which they were applied.
        limit: bytes that no stage may exceed.

    Raises:
        UnpackingError: an encoding is unknown, or there are too many.
    """

    def __init__(self, encodings: Sequence[str], limit: int) -> None:
        names = [name for name in map(str.lower, encodings) if name not in {"identity", ""}]
        if len(names) > MOST_ENCODINGS:
            raise UnpackingError(f"it is compressed {len(names)} times over")
        self._stages = [_Stage(name, limit) for name in reversed(names)]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what some more bytes of the body unpack to, in pieces of at most 256 KB.

        Raises:
            UnpackingError: they are not compressed as the header says.
            TooLargeError: a stage exceeds the limit.
        """
        yield from self._through(data, 0)

    def finish(self) -> None:
        """Check that the body is whole.

        Raises:
            UnpackingError: it ends early.
        """
        for stage in self._stages:
            stage.finish()

    def _through(self, data: bytes, index: int) -> Iterator[bytes]:
        """Yield what data unpacks to in a stage and all stages after it."""
        if index == len(self._stages):
            yield data
            return
        for piece in self._stages[index].feed(data):
            yield from self._through(piece, index + 1)


class _Stage:
    """One encoding of a body."""

    def __init__(self, name: str, limit: int) -> None:
        if name not in {"gzip", "x-gzip", "deflate"}:
            raise UnpackingError(f"it is compressed by {name[:40]!r}, which was not asked for")
        self._gzip = name != "deflate"
        self._limit = limit
        self._made = 0
        self._unpack = zlib.decompressobj(wbits=31 if self._gzip else 15)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield pieces."""
        while data:
            if self._unpack.eof:  # gzip files may be joined; anything else after the end is left
                if not self._gzip or not data.startswith(b"\x1f\x8b"):
                    return
                self._unpack = zlib.decompressobj(wbits=31)
            piece = self._step(data)
            self._made += len(piece)
            if self._made > self._limit:
                raise TooLargeError
            yield piece
            data = self._unpack.unconsumed_tail or self._unpack.unused_data

    def finish(self) -> None:
        """Check that the encoding has ended."""
        if self._begun and not self._unpack.eof:
            raise UnpackingError("its compressed body ends early")

    def _step(self, data: bytes) -> bytes:
        """Unpack one piece; ``deflate`` may lack the header of zlib (RFC 9110, section 8.4.1.2)."""
        try:
            piece = self._unpack.decompress(data, _PIECE)
        except zlib.error as error:
            if self._gzip or self._begun:
                raise UnpackingError(f"its compressed body cannot be read ({error})") from None
            self._begun = True
            self._unpack = zlib.decompressobj(wbits=-15)
            return self._step(data)
        self._begun = True
        return piece
