"""Compression of byte strings that the store keeps."""

from typing import Final

import pyarrow as pa

_ZSTD: Final = pa.Codec("zstd", compression_level=3)
_SIZE_BYTES = 8


def compress(plain: bytes) -> bytes:
    """Returns the uncompressed size in eight bytes, then a zstd frame."""
    return len(plain).to_bytes(_SIZE_BYTES, "little") + bytes(_ZSTD.compress(plain, asbytes=True))


def plain_size(data: bytes) -> int:
    """Returns the number of bytes that `decompress` returns."""
    return int.from_bytes(data[:_SIZE_BYTES], "little")


def decompress(data: bytes) -> bytes:
    """Returns the bytes that `compress` compressed."""
    return bytes(_ZSTD.decompress(data[_SIZE_BYTES:], decompressed_size=plain_size(data), asbytes=True))
