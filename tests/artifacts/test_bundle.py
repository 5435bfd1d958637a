"""Valid zips give their member names. Damaged and oversized zips are rejected."""

import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from commands.artifacts import bundle
from commands.artifacts.bundle import InvalidZip, ZipLimits

SMALL = ZipLimits(members=3, directory=1000, unpacked=1_000_000)


def verified_names(path: Path, limits: ZipLimits | None = None) -> tuple[str, ...]:
    with path.open("rb") as file:
        return bundle.verified_names(file, limits)


def _zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.comment = comment
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "result.zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_valid_zip_gives_its_member_names(path: Path, method: int) -> None:
    files = {"capture-default.pcap": os.urandom(3_000), "results.json": b"{}"}
    assert verified_names(_zip(path, files, method, comment=b"with a comment")) == tuple(files)


def test_empty_zip_is_valid(path: Path) -> None:
    assert verified_names(_zip(path, {})) == ()


@pytest.mark.parametrize("content", [b"", b"<html>not here</html>", b"PK\x05\x06", os.urandom(70_000)])
def test_file_that_is_not_a_zip_is_invalid(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidZip, match="zip_"):
        verified_names(path)


def test_truncated_zip_is_invalid(path: Path) -> None:
    whole = _zip(path, {"daemon.log": os.urandom(5_000)}).read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(InvalidZip):
        verified_names(path)


@pytest.mark.parametrize("name", ["first", "second"])
def test_flipped_bit_in_any_member_is_detected(path: Path, name: str) -> None:
    files = {"first": os.urandom(100), "second": os.urandom(100)}
    whole = bytearray(_zip(path, files, zipfile.ZIP_STORED).read_bytes())
    whole[whole.index(files[name]) + 40] ^= 1
    path.write_bytes(whole)
    with pytest.raises(InvalidZip, match="zip_unreadable"):
        verified_names(path)


def test_zip_bomb_stops_at_the_limit_and_uses_little_memory(path: Path) -> None:
    _zip(path, {"zeros": bytes(50_000_000)})
    assert path.stat().st_size < 60_000
    tracemalloc.start()
    try:
        with pytest.raises(InvalidZip, match="zip_unpacks_too_large"):
            verified_names(path, SMALL)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_unpacked_limit_covers_all_members_together(path: Path) -> None:
    _zip(path, {"a": bytes(600_000), "b": bytes(600_000)})
    with pytest.raises(InvalidZip, match="zip_unpacks_too_large"):
        verified_names(path, SMALL)
    assert verified_names(path, ZipLimits(unpacked=1_200_000)) == ("a", "b")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_methods_without_a_read_limit_are_rejected(path: Path, method: int) -> None:
    _zip(path, {"zeros": bytes(5_000)}, method)
    with pytest.raises(InvalidZip, match="zip_compression"):
        verified_names(path)


def test_too_many_members_are_rejected(path: Path) -> None:
    _zip(path, {str(number): b"" for number in range(4)})
    with pytest.raises(InvalidZip, match="zip_too_many_files"):
        verified_names(path, SMALL)


def test_directory_of_long_names_is_rejected(path: Path) -> None:
    _zip(path, {"n" * 2_000: b""})
    with pytest.raises(InvalidZip, match="zip_too_many_files"):
        verified_names(path, SMALL)


def test_zip64_archive_is_rejected(path: Path) -> None:
    """Reject Zip64, because it announces its size in another record, which the check does not read."""
    whole = _zip(path, {"a": b"a"}).read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    path.write_bytes(whole[:end] + b"PK\x06\x07" + bytes(16) + whole[end:])
    with pytest.raises(InvalidZip, match="zip_too_many_files"):
        verified_names(path)


def test_encrypted_member_is_invalid(path: Path) -> None:
    whole = bytearray(_zip(path, {"a": b"secret"}, zipfile.ZIP_STORED).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + offset] |= 1  # the flag bit for encryption
    path.write_bytes(whole)
    with pytest.raises(InvalidZip):
        verified_names(path)


def test_zip_inside_a_zip_counts_as_one_member(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep", b"x")
    assert verified_names(_zip(path, {"inner.zip": inner.getvalue()})) == ("inner.zip",)
