"""Unpack compressed bodies within a limit: what is over it is never unpacked. Pure but for zlib."""

import zlib
from collections.abc import Iterator, Sequence

MOST_ENCODINGS = 3
"""The most encodings of one body, each applied to the result of the one before."""
_GZIP = b"\x1f\x8b"
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
    """One encoding of a body: a member, or for gzip several joined ones."""

    def __init__(self, name: str, limit: int) -> None:
        if name not in {"gzip", "x-gzip", "deflate"}:
            raise UnpackingError(f"it is compressed by {name[:40]!r}, which was not asked for")
        self._gzip = name != "deflate"
        self._limit = limit
        self._made = 0
        self._members = 0
        self._unpack: zlib._Decompress | None = None
        """Of the member that is read; None before one and after it."""
        self._head = b""
        """The first byte of a member, until the second comes: they say what it is."""
        self._ended = False
        """Whether something came that is no further member."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield pieces. What follows the end, and is no further member, is left."""
        data, self._head = self._head + data, b""
        piece = b""
        # After a full piece zlib may hold more output, without more input.
        while not self._ended and (data or len(piece) == _PIECE):
            if self._unpack is None:
                if len(data) < len(_GZIP):
                    self._head = data
                    return
                if self._members and not (self._gzip and data.startswith(_GZIP)):
                    self._ended = True
                    return
                self._unpack = self._begun(data)
            try:
                piece = self._unpack.decompress(data, _PIECE)
            except zlib.error as error:
                raise UnpackingError(f"its compressed body cannot be read ({error})") from None
            self._made += len(piece)
            if self._made > self._limit:
                raise TooLargeError
            yield piece
            data = self._unpack.unconsumed_tail or self._unpack.unused_data
            if self._unpack.eof:
                self._unpack, piece = None, b""

    def finish(self) -> None:
        """Check that the encoding has ended."""
        if self._unpack is not None or (self._head and not self._members):
            raise UnpackingError("its compressed body ends early")

    def _begun(self, data: bytes) -> "zlib._Decompress":
        """Begin a member; ``deflate`` may lack the header of zlib (RFC 9110, section 8.4.1.2)."""
        self._members += 1
        has_header = data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0  # RFC 1950, 2.2
        return zlib.decompressobj(wbits=31 if self._gzip else 15 if has_header else -15)
