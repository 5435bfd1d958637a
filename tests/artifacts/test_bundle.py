"""A zip is kept when it is whole, and small enough to be looked at."""

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
def test_a_whole_zip_gives_its_names(path: Path, method: int) -> None:
    files = {"capture-default.pcap": os.urandom(3_000), "results.json": b"{}"}
    assert verified_names(_zip(path, files, method, comment=b"with a comment")) == tuple(files)


def test_an_empty_zip_is_whole(path: Path) -> None:
    assert verified_names(_zip(path, {})) == ()


@pytest.mark.parametrize("content", [b"", b"<html>not here</html>", b"PK\x05\x06", os.urandom(70_000)])
def test_what_is_no_zip_is_not_whole(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidZip, match="not a readable zip"):
        verified_names(path)


def test_a_zip_that_was_cut_short_is_not_whole(path: Path) -> None:
    whole = _zip(path, {"daemon.log": os.urandom(5_000)}).read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(InvalidZip):
        verified_names(path)


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_flipped_bit_in_any_file_is_found(path: Path, name: str) -> None:
    files = {"first": os.urandom(100), "second": os.urandom(100)}
    whole = bytearray(_zip(path, files, zipfile.ZIP_STORED).read_bytes())
    whole[whole.index(files[name]) + 40] ^= 1
    path.write_bytes(whole)
    with pytest.raises(InvalidZip, match="damaged"):
        verified_names(path)


def test_a_bomb_ends_at_the_bound_and_takes_no_memory(path: Path) -> None:
    _zip(path, {"zeros": bytes(50_000_000)})
    assert path.stat().st_size < 60_000
    tracemalloc.start()
    try:
        with pytest.raises(InvalidZip, match="larger"):
            verified_names(path, SMALL)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_the_bound_is_for_all_files_together(path: Path) -> None:
    _zip(path, {"a": bytes(600_000), "b": bytes(600_000)})
    with pytest.raises(InvalidZip, match="larger"):
        verified_names(path, SMALL)
    assert verified_names(path, ZipLimits(unpacked=1_200_000)) == ("a", "b")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_inflate_without_a_bound_are_refused(path: Path, method: int) -> None:
    _zip(path, {"zeros": bytes(5_000)}, method)
    with pytest.raises(InvalidZip, match="packed in a way"):
        verified_names(path)


def test_too_many_files_are_refused_before_their_names_are_read(path: Path) -> None:
    _zip(path, {str(number): b"" for number in range(4)})
    with pytest.raises(InvalidZip, match="more files"):
        verified_names(path, SMALL)


def test_a_directory_of_long_names_is_refused(path: Path) -> None:
    _zip(path, {"n" * 2_000: b""})
    with pytest.raises(InvalidZip, match="more files"):
        verified_names(path, SMALL)


def test_the_large_form_of_the_directory_is_refused(path: Path) -> None:
    """Its own numbers stand elsewhere, and are larger than those that were looked at."""
    whole = _zip(path, {"a": b"a"}).read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    path.write_bytes(whole[:end] + b"PK\x06\x07" + bytes(16) + whole[end:])
    with pytest.raises(InvalidZip, match="more files"):
        verified_names(path)


def test_a_locked_member_is_not_whole(path: Path) -> None:
    whole = bytearray(_zip(path, {"a": b"secret"}, zipfile.ZIP_STORED).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + offset] |= 1  # encrypted
    path.write_bytes(whole)
    with pytest.raises(InvalidZip):
        verified_names(path)


def test_a_zip_in_a_zip_is_one_file(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep", b"x")
    assert verified_names(_zip(path, {"inner.zip": inner.getvalue()})) == ("inner.zip",)
