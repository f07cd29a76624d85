from __future__ import annotations

import hashlib
import io
import logging
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from iic.data.download import download
from iic.data.errors import DataError, DownloadError
from iic.data.sources import CHUNK, Patience
from iic.params.datasets import load_catalogue
from iic.records.files import read_record, sha256_bytes
from iic.records.raw import RawManifest
from tests.data.faulty_server import CONTENT, HTML, SHARED, FaultyServer, dataset, file_entry

HASTE = Patience(connect=1, read=0.3, attempts=2, backoff=0.01)
CATALOGUE = Path(__file__).resolve().parents[2] / "params" / "datasets.yaml"

REASONS = {
    "truncated": "the connection broke off: .*; 200,000 of 400,000 bytes arrived",
    "unannounced": "the connection ended early",
    "short": "cut short: 399,000 bytes, expected 400,000",
    "long": "too long",
    "corrupt": "corrupt: sha256",
    "html": "an HTML page .'Please log in'. with status 200 in place of the file",
    "missing": "HTTP 404 Not Found",
    "overloaded": "HTTP 503",
    "misranging": "the connection broke off: .*; 200,000 of 400,000 bytes arrived",
    "stalling": "stalled: not a byte for 0.3 s",
    "headers": "stalled: not a byte for 0.3 s; 0 of 400,000 bytes arrived",
    "mute": "no answer within 0.3 s",
}


def fetch(root: Path, *mirrors: str, mirror: str | None = None) -> RawManifest:
    return download(dataset(list(mirrors)), "blob", root, mirror, patience=HASTE)


def blob(root: Path) -> Path:
    return root / "data/raw/blob/blob.bin"


def part(root: Path) -> Path:
    return root / "data/raw/blob/blob.bin.part"


def write_part(root: Path, content: bytes) -> None:
    part(root).parent.mkdir(parents=True)
    part(root).write_bytes(content)


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IIC_MIRROR", raising=False)


def test_good_server(tmp_path: Path, server: FaultyServer) -> None:
    seen: list[tuple[str, int, int]] = []
    manifest = download(
        dataset([server.prefix("good")]),
        "blob",
        tmp_path,
        progress=lambda *state: seen.append(state),
        patience=HASTE,
    )
    assert blob(tmp_path).read_bytes() == CONTENT
    assert seen[-1] == ("blob.bin", len(CONTENT), len(CONTENT))
    assert manifest == read_record(tmp_path / "data/raw/blob/files.json", RawManifest)
    (record,) = manifest.files
    assert record.path == "data/raw/blob/blob.bin"
    assert (record.size, record.sha256) == (len(CONTENT), sha256_bytes(CONTENT))
    assert sorted(entry.name for entry in blob(tmp_path).parent.iterdir()) == [
        "blob.bin",
        "files.json",
    ]


def test_what_is_there_is_kept(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, server.prefix("good"))
    fetch(tmp_path, server.prefix("good"))
    assert len(server.log) == 1


def test_wrong_file_under_the_final_name_is_replaced(
    tmp_path: Path, server: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    blob(tmp_path).parent.mkdir(parents=True)
    blob(tmp_path).write_bytes(CONTENT[:1000])
    with caplog.at_level(logging.WARNING):
        fetch(tmp_path, server.prefix("good"))
    assert blob(tmp_path).read_bytes() == CONTENT
    assert "cut short: 1,000 bytes, expected 400,000; it is replaced" in caplog.text


@pytest.mark.parametrize("behaviour", REASONS)
def test_fault_leads_to_the_next_mirror(
    tmp_path: Path, server: FaultyServer, behaviour: str
) -> None:
    fetch(tmp_path, server.prefix(behaviour), server.prefix("good"))
    assert blob(tmp_path).read_bytes() == CONTENT
    assert not part(tmp_path).exists()
    assert server.log[-1].path.startswith("/good")


@pytest.mark.parametrize("behaviour", REASONS)
def test_fault_everywhere_is_explained(
    tmp_path: Path, server: FaultyServer, behaviour: str
) -> None:
    with pytest.raises(DownloadError, match=REASONS[behaviour]) as caught:
        fetch(tmp_path, server.prefix(behaviour), server.prefix("missing"))
    text = str(caught.value)
    assert server.prefix(behaviour) in text and "HTTP 404" in text
    assert "--config mirror=DIR" in text and sha256_bytes(CONTENT) in text
    # nothing under the final name; what stays to go on from is a true beginning of the file
    assert not blob(tmp_path).exists()
    assert not (tmp_path / "data/raw/blob/files.json").exists()
    if part(tmp_path).exists():
        assert CONTENT.startswith(part(tmp_path).read_bytes())


def test_unreachable_server(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be reached: Connection refused"):
        fetch(tmp_path, "http://127.0.0.1:9/")


def test_busy_server_is_asked_again(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, server.prefix("recovering"))
    assert [request.path for request in server.log] == ["/recovering/blob.bin"] * 2


def test_absent_file_is_not_asked_for_again(tmp_path: Path, server: FaultyServer) -> None:
    with pytest.raises(DownloadError):
        fetch(tmp_path, server.prefix("missing"))
    assert len(server.log) == 1


def test_drop_half_way_is_resumed_by_range(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, server.prefix("dropping"))
    assert blob(tmp_path).read_bytes() == CONTENT
    first, second = server.log
    assert first.range is None and first.sent == 200_000
    assert second.range is not None
    start = int(second.range.removeprefix("bytes=").removesuffix("-"))
    assert 200_000 - CHUNK <= start <= 200_000
    assert second.sent == len(CONTENT) - start


def test_part_of_a_killed_download_is_resumed(tmp_path: Path, server: FaultyServer) -> None:
    write_part(tmp_path, CONTENT[:300_000])
    fetch(tmp_path, server.prefix("good"))
    assert blob(tmp_path).read_bytes() == CONTENT
    assert [(request.range, request.sent) for request in server.log] == [("bytes=300000-", 100_000)]


def test_complete_part_needs_no_transfer(tmp_path: Path, server: FaultyServer) -> None:
    write_part(tmp_path, CONTENT)
    fetch(tmp_path, server.prefix("good"))
    assert blob(tmp_path).read_bytes() == CONTENT
    assert server.log == []


@pytest.mark.parametrize("wrong", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_wrong_part_is_thrown_away(tmp_path: Path, server: FaultyServer, wrong: bytes) -> None:
    write_part(tmp_path, wrong)
    fetch(tmp_path, server.prefix("good"))
    assert blob(tmp_path).read_bytes() == CONTENT
    assert server.log[-1].range is None


def test_server_that_ignores_range(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, server.prefix("rangeless"))
    assert blob(tmp_path).read_bytes() == CONTENT
    assert server.log[1].range is not None and server.log[1].sent == len(CONTENT)


def test_server_that_sends_another_range(tmp_path: Path, server: FaultyServer) -> None:
    with pytest.raises(DownloadError):
        fetch(tmp_path, server.prefix("misranging"))
    # what does not fit is never appended: the third request starts afresh
    assert [request.range for request in server.log] == [None, "bytes=200000-", None]
    assert part(tmp_path).read_bytes() == CONTENT[:200_000]


def test_html_page_does_not_replace_what_has_arrived(tmp_path: Path, server: FaultyServer) -> None:
    write_part(tmp_path, CONTENT[:300_000])
    with pytest.raises(DownloadError, match="HTML"):
        fetch(tmp_path, server.prefix("html"))
    assert part(tmp_path).read_bytes() == CONTENT[:300_000]


def test_content_encoding_is_not_undone(tmp_path: Path, server: FaultyServer) -> None:
    fetch(tmp_path, server.prefix("labelled"))
    assert blob(tmp_path).read_bytes() == CONTENT


def test_own_folder_comes_first(
    tmp_path: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    (own / "blob").mkdir(parents=True)
    (own / "blob/blob.bin").write_bytes(CONTENT)
    fetch(tmp_path / "a", server.prefix("good"), mirror=str(own))
    fetch(tmp_path / "b", server.prefix("good"), mirror=own.as_uri())
    monkeypatch.setenv("IIC_MIRROR", str(own))
    fetch(tmp_path / "c", server.prefix("good"))
    assert server.log == []
    manifests = {(tmp_path / name / "data/raw/blob/files.json").read_bytes() for name in "abc"}
    assert len(manifests) == 1


def test_manifest_does_not_depend_on_the_mirror(tmp_path: Path, server: FaultyServer) -> None:
    server.files["blob/blob.bin"] = CONTENT
    fetch(tmp_path / "a", server.prefix("good"))
    fetch(tmp_path / "b", server.prefix("missing"), mirror=f"{server.address}/files")
    assert server.log[-1].path == "/files/blob/blob.bin"
    read = [(tmp_path / name / "data/raw/blob/files.json").read_bytes() for name in "ab"]
    assert read[0] == read[1]


def test_cut_file_in_own_folder(
    tmp_path: Path, server: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own"
    (own / "blob").mkdir(parents=True)
    (own / "blob/blob.bin").write_bytes(CONTENT[:12_345])
    expected = f"{own}/blob/blob.bin: cut short: 12,345 bytes, expected 400,000"
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, server.prefix("missing"), mirror=str(own))
    assert expected in str(caught.value)
    with caplog.at_level(logging.WARNING):
        fetch(tmp_path, server.prefix("good"), mirror=str(own))
    assert expected in caplog.text
    assert blob(tmp_path).read_bytes() == CONTENT


def test_corrupt_file_in_own_folder(tmp_path: Path, server: FaultyServer) -> None:
    own = tmp_path / "own"
    (own / "blob").mkdir(parents=True)
    (own / "blob/blob.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(DownloadError, match=r"own/blob/blob.bin: corrupt: sha256"):
        fetch(tmp_path, server.prefix("missing"), mirror=str(own))
    assert not part(tmp_path).exists()


def test_own_folder_without_the_file(tmp_path: Path, server: FaultyServer) -> None:
    with pytest.raises(DownloadError, match=r"nowhere/blob/blob.bin: No such file"):
        fetch(tmp_path, server.prefix("missing"), mirror=str(tmp_path / "nowhere"))


def test_own_folder_with_other_names_says_which_it_has(
    tmp_path: Path, server: FaultyServer
) -> None:
    own = tmp_path / "own/blob"
    own.mkdir(parents=True)
    with pytest.raises(DownloadError, match=r"own/blob is empty"):
        fetch(tmp_path, server.prefix("missing"), mirror=str(tmp_path / "own"))
    (own / "Blob.bin").write_bytes(CONTENT)
    with pytest.raises(
        DownloadError, match=r"blob.bin: No such.*own/blob holds Blob.bin"
    ) as caught:
        fetch(tmp_path, server.prefix("missing"), mirror=str(tmp_path / "own"))
    assert "remedy: put the file" in str(caught.value)


def test_two_downloads_at_once_transfer_once(tmp_path: Path, server: FaultyServer) -> None:
    threads = [
        threading.Thread(target=fetch, args=(tmp_path, server.prefix("good"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blob(tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 1


def test_full_disk(server: FaultyServer, disk: Callable[..., Path]) -> None:
    small = disk("256k")
    with pytest.raises(DownloadError, match="No space left on device") as caught:
        fetch(small, server.prefix("good"), server.prefix("good"))
    assert "make room for 400,000 bytes" in str(caught.value)
    # another mirror would not help
    assert len(server.log) == 1
    assert not blob(small).exists()
    assert CONTENT.startswith(part(small).read_bytes())


def test_read_only_folder(server: FaultyServer, disk: Callable[..., Path]) -> None:
    locked = disk("1m", read_only="data/raw/blob")
    with pytest.raises(DownloadError, match=r"data/raw.*cannot be written.*Read-only"):
        fetch(locked, server.prefix("good"))


MEMBERS = {"batches/one.bin": b"1" * 1000, "batches/two.bin": b"2" * 2000}


def archive(kind: str) -> bytes:
    target = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in MEMBERS.items():
                zipped.writestr(name, content)
    else:
        with tarfile.open(fileobj=target, mode="w:gz") as tarred:
            for name, content in MEMBERS.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tarred.addfile(info, io.BytesIO(content))
    return target.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_mirror_offers_the_archive_or_its_members(
    tmp_path: Path, server: FaultyServer, kind: str
) -> None:
    packed = archive(kind)
    members = tuple(file_entry(name, content) for name, content in MEMBERS.items())
    entry = dataset(
        [server.prefix("files")], files=({**file_entry(f"all.{kind}", packed), "members": members},)
    )
    server.files[f"all.{kind}"] = packed
    download(entry, "blob", tmp_path / "packed", patience=HASTE)
    server.files = dict(MEMBERS)
    download(entry, "blob", tmp_path / "loose", patience=HASTE)
    for root in (tmp_path / "packed", tmp_path / "loose"):
        folder = root / "data/raw/blob"
        contents = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        del contents["files.json"]
        assert contents == MEMBERS
    manifests = [tmp_path / name / "data/raw/blob/files.json" for name in ("packed", "loose")]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()


def test_archive_with_other_members_than_listed(tmp_path: Path, server: FaultyServer) -> None:
    packed = archive("tar.gz")
    for name, content, problem in [
        ("batches/three.bin", b"3", "is not in the archive"),
        ("batches/one.bin", b"3" * 1000, "corrupt"),
    ]:
        server.files["all.tar.gz"] = packed
        entry = dataset(
            [server.prefix("files")],
            files=({**file_entry("all.tar.gz", packed), "members": (file_entry(name, content),)},),
        )
        with pytest.raises(DataError, match=f"all.tar.gz: {name}: {problem}"):
            download(entry, "blob", tmp_path / problem, patience=HASTE)
        assert not (tmp_path / problem / "data/raw/blob" / name).exists()


def test_file_known_by_its_md5_alone(tmp_path: Path, server: FaultyServer) -> None:
    wanted = {
        "name": "blob.bin",
        "size": len(CONTENT),
        "md5": hashlib.md5(CONTENT).hexdigest(),
    }
    entry = dataset([server.prefix("corrupt"), server.prefix("good")], files=(wanted,))
    (record,) = download(entry, "blob", tmp_path, patience=HASTE).files
    # what is recorded is the SHA-256 all the same
    assert record.sha256 == sha256_bytes(CONTENT)
    assert blob(tmp_path).read_bytes() == CONTENT
    wanted["md5"] = "0" * 32
    entry = dataset([server.prefix("good")], files=(wanted,))
    with pytest.raises(DownloadError, match=f"corrupt: md5 .*, expected {'0' * 32}") as caught:
        download(entry, "blob", tmp_path, patience=HASTE)
    assert f"({len(CONTENT):,} bytes, md5 {'0' * 32})" in str(caught.value)


def test_two_datasets_of_one_archive_transfer_it_once(tmp_path: Path, server: FaultyServer) -> None:
    packed = archive("tar.gz")
    members = tuple(file_entry(name, content) for name, content in MEMBERS.items())
    entry = dataset(
        [server.prefix("files")], files=({**file_entry("all.tar.gz", packed), "members": members},)
    )
    server.files["all.tar.gz"] = packed
    threads = [
        threading.Thread(target=download, args=(entry, name, tmp_path), kwargs={"patience": HASTE})
        for name in ("fine", "coarse")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [request.path for request in server.log] == ["/files/all.tar.gz"]
    for name in ("fine", "coarse"):
        for member, content in MEMBERS.items():
            assert (tmp_path / "data/raw" / name / member).read_bytes() == content
    # damaged files of a neighbour are not taken over
    (tmp_path / "data/raw/fine/batches/one.bin").write_bytes(b"x" * 1000)
    download(entry, "third", tmp_path, patience=HASTE)
    assert (tmp_path / "data/raw/third/batches/one.bin").read_bytes() == MEMBERS["batches/one.bin"]


def test_digits_come_from_the_installed_package(tmp_path: Path) -> None:
    manifest = download(load_catalogue(CATALOGUE)["digits"], "digits", tmp_path, patience=HASTE)
    assert [file.path for file in manifest.files] == ["data/raw/digits/digits.csv.gz"]
    assert (tmp_path / "data/raw/digits/digits.csv.gz").stat().st_size == 57_523


def test_package_with_another_file(tmp_path: Path) -> None:
    files = (
        {
            **file_entry("digits.csv.gz", CONTENT),
            "embedded": {"package": "sklearn", "path": "datasets/data/digits.csv.gz"},
        },
    )
    with pytest.raises(DownloadError, match=r"Python package sklearn: .*cut short: 57,523 bytes"):
        download(dataset([], files=files), "blob", tmp_path, patience=HASTE)
    files[0]["embedded"] = {"package": "no_such_package", "path": "digits.csv.gz"}
    with pytest.raises(DownloadError, match="no_such_package: is not installed"):
        download(dataset([], files=files), "blob", tmp_path, patience=HASTE)


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason=f"no MNIST in {SHARED}")
def test_mnist_from_the_shared_folder(tmp_path: Path) -> None:
    mnist = load_catalogue(CATALOGUE)["mnist"]
    manifest = download(mnist, "mnist", tmp_path, str(SHARED), patience=HASTE)
    assert [file.size for file in manifest.files] == [file.size for file in mnist.files]


def test_page_in_a_folder_is_called_a_page(tmp_path: Path, server: FaultyServer) -> None:
    """As a browser or wget leaves it where a server wants a password."""
    folder = tmp_path / "mirror/blob"
    folder.mkdir(parents=True)
    (folder / "blob.bin").write_bytes(HTML)
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, server.prefix("missing"), mirror=str(tmp_path / "mirror"))
    assert "blob.bin: an HTML page ('Please log in') in place of the file" in str(caught.value)
    assert "cut short" not in str(caught.value)
