from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.runs import Plan, load_plan
from iic.provenance import jobs
from iic.provenance.accept import NotAcceptable, accept
from iic.provenance.audit.run import audit
from iic.provenance.changes import Change, changes
from iic.provenance.due import Judge
from iic.provenance.fingerprint import forget
from iic.provenance.jobs import UnknownTarget, find
from iic.provenance.why import left_over, why
from iic.records.files import read_record, sha256_bytes, write_record
from iic.records.receipt import Fingerprint, Receipt
from tests.conftest import SCALE
from tests.edits import change

RUN = "digits/kmeans"
FOLDER = Path(f"results/{SCALE}/runs/{RUN}/seed0")


@pytest.fixture
def plan(tree: Path) -> Plan:
    return load_plan(SCALE)


def fingerprint(**parts: object) -> Fingerprint:
    empty: dict[str, object] = {"code": {}, "settings": {}, "data": {}}
    return Fingerprint.model_validate(empty | parts | {"value": sha256_bytes(repr(parts).encode())})


def test_changes_are_named_part_by_part() -> None:
    before = fingerprint(
        identity="a" * 64,
        code={"iic.a": "1", "iic.b": "1", "iic.here.moved": "3"},
        settings={"network": {"width": 1.0, "blocks": None}, "crops": [1, 2], "gone": {}},
        data={"data/raw/x": "a" * 64},
    )
    after = fingerprint(
        identity="b" * 64,
        code={"iic.a": "2", "iic.c": "4", "iic.there.moved": "3"},
        settings={"network": {"width": 0.5, "blocks": None}, "crops": [1, 3]},
        data={"data/raw/x": "b" * 64},
    )
    assert [str(change) for change in changes(before, after)] == [
        "code iic.a changed",
        "code iic.b is gone",
        "code iic.c is new",
        "settings crops: [1, 2] -> [1, 3]",
        "settings gone: {} -> (absent)",
        "settings network.width: 1.0 -> 0.5",
        f"data data/raw/x: {'a' * 12} -> {'b' * 12}",
    ]
    assert changes(before, before) == []
    assert len(str(Change("settings", "long", "x" * 500, "y"))) < 120


def test_what_a_person_may_say_alters_no_number() -> None:
    assert Change("settings", "runs.mnist/iic.note", '"3 of 463"', '"3 of 462"').acceptable
    assert Change("settings", "new", None, "1").acceptable
    assert not Change("settings", "rate.note", "1", "2").acceptable
    assert not Change("settings", "rate", "1", "2").acceptable
    assert not Change("data", "new", None, "1").acceptable


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("digits/kmeans/seed1", ["train digits/kmeans/seed1", "evaluate digits/kmeans/seed1"]),
        (f"results/{SCALE}/runs/digits/kmeans/seed1/", ["train digits/kmeans/seed1",
                                                      "evaluate digits/kmeans/seed1"]),
        (f"results/{SCALE}/runs/digits/kmeans/seed1/assignments.parquet",
         ["train digits/kmeans/seed1"]),
        (f"results/{SCALE}/runs/digits/kmeans/seed1/evaluation.json",
         ["evaluate digits/kmeans/seed1"]),
        ("table_1", ["tabulate table_1"]),
        ("figure_3", ["draw figure_3"]),
        (f"results/{SCALE}/figures/figure_3.png", ["draw figure_3"]),
        ("digits", ["download digits", "prepare digits"]),
    ],
)  # fmt: skip
def test_what_a_target_stands_for(plan: Plan, target: str, names: list[str]) -> None:
    assert [job.name for job in find(plan, target)] == names


def test_a_run_stands_for_all_its_seeds_and_a_typo_gets_a_hint(plan: Plan) -> None:
    assert len(find(plan, RUN)) == 4
    with pytest.raises(UnknownTarget, match=r"did you mean: digits/kmeans"):
        find(plan, "digits/kmean")


def test_what_no_job_makes_any_more_is_said_to_be_left_over(tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("digits/kmeans: [0, 1]", "digits/kmeans: [0]"))
    forget()
    removed = load_plan(SCALE)
    for target in (f"{RUN}/seed1", f"results/{SCALE}/runs/{RUN}/seed1/history.jsonl"):
        with pytest.raises(UnknownTarget):
            find(removed, target)
        assert f"iic prune --scale {SCALE}" in (left_over(removed, target) or "")
    said = CliRunner().invoke(app, ["why", f"{RUN}/seed1", "--scale", SCALE])
    assert "no job of scale 'smoke' makes them any more" in str(said.exception)
    assert "has no receipt" in (left_over(removed, f"results/{SCALE}/audit.json") or "")
    for unknown in (f"{RUN}/seed2", "table_99", "iic", "results", "../clone", str(tree)):
        assert left_over(removed, unknown) is None, unknown
    assert (
        "table_1: changed" in CliRunner().invoke(app, ["why", "table_1", "--scale", SCALE]).stdout
    )


def test_everything_is_up_to_date_after_the_jobs(plan: Plan) -> None:
    assert {why(job).status for job in jobs.all_jobs(plan)} == {"up to date"}


def test_what_is_up_to_date_says_what_it_depends_on(plan: Plan) -> None:
    train, _ = find(plan, f"{RUN}/seed0")
    basis = why(train).basis
    receipt = read_record(train.receipt, Receipt)
    (code,) = [line for line in basis if line.startswith("code ")]
    rooms = dict(re.findall(r"(iic[.\w]*) (\d+)", code))
    assert code.startswith(f"code of {len(receipt.fingerprint.code)} definitions: ")
    assert sum(map(int, rooms.values())) == len(receipt.fingerprint.code)
    assert "iic.methods.kmeans" in rooms and "iic.engine" in rooms
    assert "settings k: 10" in basis and "settings restarts: 1" in basis
    kinds = [line.split()[0] for line in basis]
    assert kinds.count("settings") == len(receipt.fingerprint.settings)
    assert kinds.count("data") == len(receipt.fingerprint.data) > 0
    for record in receipt.inputs:
        assert f"input {record.path}: {record.sha256[:12]}" in basis
    said = CliRunner().invoke(app, ["why", f"{RUN}/seed0", "--scale", SCALE]).stdout
    assert "train digits/kmeans/seed0: up to date\n  code of " in said
    # of what is to be done, only why is said
    (FOLDER / "history.jsonl").rename("aside")
    assert why(train).basis == ()


def test_every_state_has_its_answer(plan: Plan, tree: Path) -> None:
    train, evaluate = find(plan, f"{RUN}/seed0")
    (FOLDER / "history.jsonl").rename("aside")
    assert why(train).status == "outputs missing"
    assert why(train).reasons == (f"{FOLDER}/history.jsonl is missing",)
    (FOLDER / "history.jsonl").write_text("{}\n")
    assert why(train).status == "outputs altered"
    Path("aside").replace(FOLDER / "history.jsonl")
    assert why(train).fresh

    receipt = read_record(FOLDER / "run.json", Receipt)
    write_record(FOLDER / "run.json", receipt.model_copy(update={"seed": 1}).sealed())
    assert why(evaluate).status == "parents changed"
    assert why(evaluate).reasons == (f"{FOLDER}/run.json was written anew",)
    (FOLDER / "run.json").write_text("{")
    assert why(train).status == "damaged"
    (FOLDER / "run.json").unlink()
    assert why(train).status == "never run"
    assert why(evaluate).reasons == (f"{FOLDER}/run.json is missing",)


def test_results_stand_without_their_data(plan: Plan, tree: Path) -> None:
    shutil.rmtree("data")
    assert all(why(job).fresh for job in find(plan, RUN))
    assert why(jobs.download("digits")).status == "never run"


def test_a_changed_setting_is_named_with_both_values(tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("restarts: 1", "restarts: 2"))
    forget()
    train, _ = find(load_plan(SCALE), f"{RUN}/seed0")
    assert (why(train).status, why(train).reasons) == ("changed", ("settings restarts: 1 -> 2",))
    with pytest.raises(NotAcceptable, match=r"only a change of code.*\n  settings restarts"):
        accept([train], "it is better")


def test_an_accepted_run_that_lost_what_a_figure_needs_stands_without_it(
    plan: Plan, tree: Path
) -> None:
    """The workflow trains it again where a figure that it draws needs what is lost."""
    training = jobs.train(SCALE, "digits/iic", 0)
    change(Path("iic/engine/loop.py"), "Loop.run")
    forget()
    assert Judge(plan).due(training) == "code iic.engine.loop.Loop.run changed"
    accept([training], "nothing reads it")
    shutil.rmtree(f"results/{SCALE}/artifacts")
    judge = Judge(plan)
    assert judge.due(training) is None
    # figure_3 reads what is lost, and stands; once it does not, the training needs its data
    assert judge.apart_from_data(training)
    jobs.draw(SCALE, "figure_3").receipt.unlink()
    assert not Judge(plan).apart_from_data(training)


def test_a_figure_is_accepted_where_it_cannot_be_drawn_again(tree: Path) -> None:
    figure = jobs.draw(SCALE, "figure_3")
    change(Path("iic/publish/figures/progression.py"), "draw")
    forget()
    assert why(figure).status == "changed"
    with pytest.raises(NotAcceptable, match="it is quick to run again"):
        accept([figure], "nothing reads it")
    shutil.rmtree(f"results/{SCALE}/artifacts/digits/iic/seed0")
    accept([figure], "nothing reads it")
    assert why(figure).status == "accepted"
    with pytest.raises(NotAcceptable, match="already"):
        accept([figure], "again")


def test_accepting_nothing_is_refused(plan: Plan, tree: Path) -> None:
    before = {path: path.read_bytes() for path in FOLDER.iterdir()}
    training = find(plan, f"{RUN}/seed0")[:1]
    with pytest.raises(NotAcceptable, match="nothing changed"):
        accept(training, "no reason")
    with pytest.raises(NotAcceptable, match="--because is empty"):
        accept(training, "  \n ")
    assert before == {path: path.read_bytes() for path in FOLDER.iterdir()}


def test_a_table_is_accepted_across_another_lock_file_and_across_nothing_else(
    plan: Plan, tree: Path
) -> None:
    table = find(plan, "table_1")
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")
    assert [acceptance.changed for acceptance in accept(table, "a comment")] == [
        ("requirements.lock",)
    ]
    change(Path("iic/publish/markdown.py"), "to_markdown")
    forget()
    with pytest.raises(NotAcceptable, match="table_1: only trainings are accepted so"):
        accept(table, "nothing reads it")


def test_an_accepted_run_stands_for_the_edited_code_until_it_is_edited_again(tree: Path) -> None:
    def due() -> str | None:
        forget()
        return Judge(load_plan(SCALE)).due(jobs.train(SCALE, RUN, 1))

    def iic(*words: str) -> str:
        forget()
        done = CliRunner().invoke(app, [*words, "--scale", SCALE])
        return done.stdout + str(done.exception or "")

    assert due() is None
    method = Path("iic/methods/kmeans.py")
    change(method, "train")
    assert due() == "code iic.methods.kmeans.train changed"
    assert "changed\n  code iic.methods.kmeans.train changed" in iic("why", f"{RUN}/seed1")

    receipt = Path(f"results/{SCALE}/runs/{RUN}/seed1/run.json")
    os.utime(receipt, ns=(10**18, 10**18))
    # a seed that never ran does not keep the others from being accepted
    other = Path(f"results/{SCALE}/runs/{RUN}/seed0/run.json")
    other.rename("aside")
    said = iic("accept", RUN, "--because", "a variable that nothing reads")
    assert said.count("accepted") == 1
    Path("aside").rename(other)
    said = iic("accept", RUN, "--because", "a variable that nothing reads")
    assert said.count("accepted") == 1
    assert receipt.stat().st_mtime_ns == 10**18
    assert due() is None, "Snakemake would train again"
    said = iic("why", f"{RUN}/seed1")
    assert "train digits/kmeans/seed1: accepted\n  because: a variable that nothing reads" in said
    assert "evaluate digits/kmeans/seed1: up to date" in said
    assert "is accepted already" in iic("accept", RUN, "--because", "again")

    report = audit(load_plan(SCALE))
    assert report.exit_status == 0
    notes = [finding.message for finding in report.findings if finding.kind == "accepted"]
    assert len(notes) == 2
    assert (
        "because: a variable that nothing reads (code iic.methods.kmeans.train changed)" in notes[0]
    )

    change(method, "train", 2)
    assert due() is not None
    assert "changed" in iic("why", f"{RUN}/seed1")
