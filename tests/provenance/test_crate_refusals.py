"""What `iic export rocrate` refuses, and what it leaves alone when it fails."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from iic.params.errors import IICError, SettingsError
from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.export import default_place, export
from iic.records.files import read_record, sha256_file, write_record
from iic.records.receipt import Receipt
from tests.conftest import run_in
from tests.provenance.crate_helpers import LAPTOP, TABLE, entities, files_in, named


def test_what_lies_there_is_replaced_only_on_demand_and_only_if_it_is_a_crate(laptop: Path) -> None:
    export(LAPTOP, Path("out"))
    (Path("out") / "README.md").write_text("mine")
    with pytest.raises(CrateError, match=r"out: is there already; --force"):
        export(LAPTOP, Path("out"))
    assert (Path("out") / "README.md").read_text() == "mine"
    export(LAPTOP, Path("out"), force=True)
    assert (Path("out") / "README.md").read_text() != "mine"
    Path("thesis").mkdir()
    Path("thesis/chapter.tex").write_text("years of work")
    Path("photos.zip").write_bytes(b"PK")
    for place, zipped in ((Path("thesis"), False), (Path("photos.zip"), True)):
        with pytest.raises(CrateError, match="is no crate, so it is left alone"):
            export(LAPTOP, place, zipped=zipped, force=True)
    assert Path("thesis/chapter.tex").read_text() == "years of work"


def test_results_that_do_not_verify_are_refused_and_the_file_is_named(laptop: Path) -> None:
    TABLE.write_text(TABLE.read_text().replace("9", "8", 1))
    with pytest.raises(CrateError, match="do not verify") as error:
        export(LAPTOP, Path("out"))
    assert str(TABLE) in str(error.value)
    assert "iic audit --scale laptop" in str(error.value)
    assert not Path("out").exists()


def test_unverified_results_say_so_in_the_crate_and_lie_about_no_file(laptop: Path) -> None:
    before = sha256_file(TABLE)
    TABLE.write_text(TABLE.read_text().replace("9", "8", 1))
    assert export(LAPTOP, Path("out"), unverified=True).failures == 1
    graph = entities(Path("out"))
    assert graph["./"]["creativeWorkStatus"] == "not verified"
    assert "NOT VERIFIED" in graph["./"]["description"]
    text = Path("out/README.md").read_text()
    assert "NOT VERIFIED" in text and f"altered: {TABLE}" in text
    assert str(TABLE) not in graph
    assert graph[f"#not-in-crate/{TABLE}"]["sha256"] == before


def test_even_wreckage_can_be_exported_unverified_and_each_loss_is_named(laptop: Path) -> None:
    run = LAPTOP / "runs/mnist"
    lost, torn, gone = run / "iic/seed0/run.json", run / "vae/seed0/run.json", TABLE
    lost.unlink()
    torn.write_text(torn.read_text()[:200])
    gone.unlink()
    export(LAPTOP, Path("out"), unverified=True)
    text = Path("out/README.md").read_text()
    for path in (lost, torn, gone):
        assert str(path) in text
    graph = entities(Path("out"))
    assert "#job/train/laptop/mnist/iic/0" not in graph
    assert set(named(graph["./"]["hasPart"])) == files_in(Path("out")) - {"ro-crate-metadata.json"}
    assert not (Path("out") / torn).exists(), "no job stands for it"
    assert "missing" in graph[f"#not-in-crate/{gone}"]["description"]


def test_wrong_folders_are_named(laptop: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean: laptop"):
        export(Path("results/labtop"))
    for wrong in ("tables", "results", "results/laptop/tables", "/tmp/laptop", "laptop"):
        with pytest.raises(CrateError, match="is no folder of results"):
            export(Path(wrong))
    with pytest.raises(CrateError, match=r"results/mini: no such folder"):
        export(Path("results/mini"))
    Path("results/mini").mkdir()
    with pytest.raises(CrateError, match=r"no receipt of scale 'mini'.*iic run --scale mini"):
        export(Path("results/mini"))
    assert not Path("scratch").exists() or not list(Path("scratch").rglob("*"))


@pytest.mark.parametrize("place", ["results/laptop/tables/crate", "iic/crate", ".", "data/crate"])
def test_a_crate_does_not_go_where_the_clone_keeps_other_things(laptop: Path, place: str) -> None:
    with pytest.raises(CrateError, match="does not go there"):
        export(LAPTOP, Path(place))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("license: MIT", ""), "license: missing"),
        (lambda text: text.replace("version: 0.1.0", ""), "version: missing"),
        (lambda text: text.replace("  - name: The IIC reproduction authors", ""), "authors"),
        (lambda _: "- a list", "holds no keys"),
        (lambda _: None, "no such file"),
    ],
)
def test_a_wrong_citation_file_is_named(laptop: Path, change: object, said: str) -> None:
    file = Path("CITATION.cff")
    text = change(file.read_text())  # type: ignore[operator]
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(IICError, match=rf"CITATION\.cff: .*{said}"):
        export(LAPTOP, Path("out"))
    assert not Path("out").exists()


LIMITED = """
import resource, sys
from iic.cli.app import main
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = ["iic", "export", "rocrate", "results/laptop", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(("words", "limit"), [([], 100_000), (["--zip"], 1_000_000)])
def test_a_full_disk_leaves_nothing_and_an_earlier_crate_alone(
    laptop: Path, words: list[str], limit: int
) -> None:
    place = default_place("laptop", zipped=bool(words))
    export(LAPTOP, zipped=bool(words))
    entry = place if words else place / "ro-crate-metadata.json"
    before = sha256_file(entry)
    done = run_in(laptop, "-c", LIMITED, str(limit), *words, "--force")
    assert done.returncode == 1
    assert f"error: {place}: cannot be written: File too large" in done.stderr
    assert sha256_file(entry) == before
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_a_lock_file_that_has_changed_since_comes_from_the_commit_of_its_job(laptop: Path) -> None:
    lock = Path("requirements.lock")
    old = lock.read_bytes() + b"# as it was\n"
    lock.write_bytes(old)
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", str(lock)), (*person, "commit", "-qm", "a")):
        subprocess.run(["git", *words], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    digest = sha256_file(lock)
    lock.write_bytes(old + b"# as it is\n")
    path = TABLE.with_suffix(".run.json")
    receipt = read_record(path, Receipt)
    changed = receipt.model_copy(
        update={
            "environment": receipt.environment.model_copy(update={"lock": digest}),
            "code": receipt.code.model_copy(update={"commit": commit.strip()}),
        }
    )
    write_record(path, changed.sealed())
    export(LAPTOP, Path("out"))
    assert (Path("out/locks") / f"{digest}.lock").read_bytes() == old
    graph = entities(Path("out"))
    assert f"locks/{digest}.lock" in named(graph["Snakefile"]["buildInstructions"])
