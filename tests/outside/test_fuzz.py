"""Changed files of every format: read, or refused by an error of the project's own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from iic.params.errors import IICError
from tests.outside.formats import FORMATS, Format

CORPUS = Path(__file__).with_name("corpus")
"""Content that was once read wrongly, by format; each is tried for ever."""
EXAMPLES = 40
SECONDS = 60
NUMBERS = (0, 1, 2, 255, 256, 65_535, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 63)

Change = tuple[str, float, int, bytes]


def changes(form: Format) -> st.SearchStrategy[list[Change]]:
    """What is done to a file: where, as a share of it, and with what."""
    size = st.integers(1, 64)
    place = st.floats(0, 1, exclude_max=True)
    words = st.sampled_from(form.words or (b"\0", b"\xff", b"\x7f"))
    random = st.binary(min_size=1, max_size=8)
    numbers = st.sampled_from(
        [number.to_bytes(8, order) for number in NUMBERS for order in ("little", "big")]
    )
    return st.lists(
        st.one_of(
            st.tuples(st.just("flip"), place, st.integers(0, 7), st.just(b"")),
            st.tuples(st.sampled_from(["put", "insert"]), place, size, words | random),
            st.tuples(st.just("number"), place, st.sampled_from([1, 2, 4, 8]), numbers),
            st.tuples(st.just("cut"), place, size, st.just(b"")),
            st.tuples(st.just("repeat"), place, size, st.just(b"")),
            st.tuples(st.just("end"), place, size, st.just(b"")),
        ),
        min_size=1,
        max_size=6,
    )


def changed(content: bytes, made: list[Change]) -> bytes:
    for kind, share, size, part in made:
        place = int(share * len(content))
        before, rest = content[:place], content[place:]
        if kind == "flip" and rest:
            content = before + bytes([rest[0] ^ 1 << size]) + rest[1:]
        elif kind == "put":
            content = before + part + rest[len(part) :]
        elif kind == "insert":
            content = before + part + rest
        elif kind == "number":
            number = part[:size] if part[0] else part[-size:]
            content = before + number + rest[size:]
        elif kind == "cut":
            content = before + rest[size:]
        elif kind == "repeat":
            content = before + rest[:size] * 2 + rest[size:]
        elif kind == "end":
            content = before
    return content


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, form in FORMATS.items():
        folders[name] = tmp_path_factory.mktemp("format")
        form.besides(folders[name])
    return folders


def check(form: Format, folder: Path, content: bytes) -> None:
    """Read, or refused by an error that names the file."""
    form.write(folder, content)
    try:
        form.read(folder)
    except IICError as error:
        assert Path(form.path).name.partition(".")[0] in str(error)
        assert str(error).isprintable() or "\n" in str(error)


def fuzz(form: Format, folder: Path, examples: int, number: int) -> None:
    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(changes(form))
    def run(made: list[Change]) -> None:
        check(form, folder, changed(form.content, made))

    run()


@pytest.mark.parametrize("name", FORMATS)
def test_as_it_is_a_file_is_read(folders: dict[str, Path], name: str) -> None:
    """Else nothing below would get far."""
    FORMATS[name].write(folders[name], FORMATS[name].content)
    FORMATS[name].read(folders[name])


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda path: path.name)
def test_what_was_once_read_wrongly(folders: dict[str, Path], path: Path) -> None:
    name = path.parent.name
    check(FORMATS[name], folders[name], path.read_bytes())


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_file_is_read_or_refused(folders: dict[str, Path], name: str) -> None:
    fuzz(FORMATS[name], folders[name], EXAMPLES, 0)


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_changed_files_for_a_minute(folders: dict[str, Path], name: str) -> None:
    """Long by nature: as many changed files as a minute allows, others each day."""
    start, number = time.monotonic(), int(time.time()) // 86_400
    while time.monotonic() - start < SECONDS:
        fuzz(FORMATS[name], folders[name], 500, number := number + 1_000_003)
