"""HDF5 files without the times at which they were written, so that the same content is the same bytes."""

from pathlib import Path

HEADER = b"OHDR\x02"  # of an object, version 2
TIMES_STORED = 0x20
N_TIMES = 16  # bytes: when it was accessed, modified, changed and born
ATTRIBUTES_STORED = 0x10
WORD = 0xFFFFFFFF


def drop_times(path: Path | str) -> None:
    """Set the times that HDF5 keeps of every object of a file to 0.

    Only what has the checksum of an object's header is taken for one. Format: HDF5 File Format Specification 3.0,
    IV.A.1.b, "Version 2 Data Object Header Prefix".

    Parameters
    ----------
    path : Path
        Changed in place.
    """
    content = bytearray(Path(path).read_bytes())
    start = content.find(HEADER)
    while start >= 0:
        end = _end_of_header(content, start)
        if content[start + 5] & TIMES_STORED and content[end : end + 4] == _checksum(content[start:end]):
            content[start + 6 : start + 6 + N_TIMES] = bytes(N_TIMES)
            content[end : end + 4] = _checksum(content[start:end])
        start = content.find(HEADER, start + 1)
    Path(path).write_bytes(content)


def _end_of_header(content: bytearray, start: int) -> int:
    flags = content[start + 5]
    at = start + 6 + (N_TIMES if flags & TIMES_STORED else 0) + (4 if flags & ATTRIBUTES_STORED else 0)
    n_bytes = 1 << (flags & 3)  # of the size that follows
    return at + n_bytes + int.from_bytes(content[at : at + n_bytes], "little")


def _checksum(data: bytes | bytearray) -> bytes:
    """Return what protects the metadata of HDF5, 4 bytes: lookup3 by Bob Jenkins, burtleburtle.net/bob/c/lookup3.c."""
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    words += [0] * (-len(words) % 3)
    a = b = c = 0xDEADBEEF + len(data)
    for at in range(0, len(words), 3):
        a, b, c = ((old + new) & WORD for old, new in zip((a, b, c), words[at : at + 3], strict=True))
        if at + 3 < len(words):
            for by in (4, 6, 8, 16, 19, 4):
                a, b, c = b, (c + b) & WORD, ((a - c) & WORD) ^ _turned(c, by)
    for by in (14, 11, 25, 16, 4, 14, 24):
        a, b, c = b, ((c ^ b) - _turned(b, by)) & WORD, a
    return b.to_bytes(4, "little")


def _turned(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & WORD
