"""Each edit is made in a clone of its own, and only what depends on it may change."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from pydantic import Field

from iic.params.base import Model
from iic.provenance import relevant
from iic.provenance.agreement import PlanChanged, check_plan
from tests.conftest import ROOT, SCALE, clone_to, run_in
from tests.edits import change
from tests.timing import parsing

ALL = """
import json
from iic.params.runs import load_plan
from iic.provenance import fingerprint, jobs
plan = load_plan("smoke")
values = {job.name: fingerprint.fingerprint(job).value for job in jobs.all_jobs(plan)}
values["audit"] = fingerprint.value("audit", scale="smoke")
print(json.dumps(values))
"""


def fingerprints(clone: Path, **environment: str) -> dict[str, str]:
    done = run_in(clone, "-c", ALL, **environment)
    assert done.returncode == 0, done.stderr
    values: dict[str, str] = json.loads(done.stdout)
    return values


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone_to(tmp_path_factory.mktemp("untouched") / "clone")


@pytest.fixture(scope="module")
def before(untouched: Path) -> dict[str, str]:
    return fingerprints(untouched)


@pytest.fixture
def clone(untouched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untouched, tmp_path / "clone"))


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Rules, or trainings and figures by name, whose fingerprint is another one."""
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def edit(clone: Path, path: str, old: str, new: str) -> None:
    text = (clone / path).read_text()
    assert old in text
    (clone / path).write_text(text.replace(old, new, 1))


def append(clone: Path, path: str, text: str) -> None:
    with (clone / path).open("a") as file:
        file.write(text)


def rules(names: set[str]) -> set[str]:
    return {name.split()[0] for name in names} - {"audit"}


def test_comments_and_docstrings_change_nothing_but_the_listing(
    before: dict[str, str], clone: Path
) -> None:
    edit(clone, "iic/engine/loop.py", '"""', '"""Other words. ')
    append(clone, "iic/methods/kmeans.py", "\n# a comment\n")
    append(clone, "iic/publish/cells.py", "\n\n\n# a comment\n")
    append(clone, "iic/objective/clustering.py", "\n# a comment\n")
    # figure 4 prints the text of the objective
    assert changed(before, fingerprints(clone)) == {"draw figure_4", "audit"}


@pytest.mark.parametrize(
    ("module", "function"), [("engine/loop", "Loop.run"), ("objective/clustering", "joint")]
)
def test_code_of_the_engine_changes_trainings(
    before: dict[str, str], clone: Path, module: str, function: str
) -> None:
    change(clone / f"iic/{module}.py", function)
    changed_jobs = changed(before, fingerprints(clone))
    assert "train digits/iic/seed0" in changed_jobs
    assert "train digits/kmeans/seed0" not in changed_jobs
    assert "prepare" not in rules(changed_jobs)


def test_code_of_tables_and_figures_changes_no_training(
    before: dict[str, str], clone: Path
) -> None:
    for module, function in (("cells", "gather"), ("tables", "build"), ("figures/curves", "draw")):
        change(clone / f"iic/publish/{module}.py", function)
    assert rules(changed(before, fingerprints(clone))) == {"tabulate", "draw"}


def test_a_method_a_reader_and_a_figure_may_move(before: dict[str, str], clone: Path) -> None:
    for old, new in (
        ("methods/kmeans", "methods/flat/k_means"),
        ("data/digits", "data/reader"),
        ("publish/figures/curves", "publish/lines"),
    ):
        (clone / f"iic/{new}.py").parent.mkdir(exist_ok=True)
        (clone / f"iic/{old}.py").rename(clone / f"iic/{new}.py")
        names = [f"iic.{path.replace('/', '.')}" for path in (old, new)]
        for file in [*clone.rglob("*.py"), *(clone / "params").rglob("*.yaml")]:
            text = file.read_text()
            moved = re.sub(rf"\b{re.escape(names[0])}\b(?!_)", names[1], text)
            if moved != text:
                file.write_text(moved)
    assert changed(before, fingerprints(clone)) == set()


def test_code_around_the_jobs_changes_none(before: dict[str, str], clone: Path) -> None:
    for module, function in (
        ("cli/jobs", "train"), ("provenance/why", "why"), ("records/receipt", "Receipt.digest"),
        ("records/paths", "receipt_of"), ("data/download", "download"),
    ):  # fmt: skip
        change(clone / f"iic/{module}.py", function)
    assert not rules(changed(before, fingerprints(clone)))


def test_code_that_only_reads_params_changes_no_training(
    before: dict[str, str], clone: Path
) -> None:
    for module, function in (
        ("params/runs", "load_plan"), ("params/datasets", "Dataset._obtainable"),
        ("params/resolve", "resolve"), ("params/training", "PairSettings.problems"),
        ("methods/dec/settings", "DECSettings.cost"),
    ):  # fmt: skip
        change(clone / f"iic/{module}.py", function)
    # which makes a plan for its re-runs
    assert changed(before, fingerprints(clone)) == {"audit"}


def test_code_that_derives_values_from_settings_changes_the_trainings_that_use_it(
    before: dict[str, str], clone: Path
) -> None:
    change(clone / "iic/params/networks.py", "NetworkSettings.stage_channels")
    trainings = {name for name in changed(before, fingerprints(clone)) if name.startswith("train")}
    assert trainings
    assert all("kmeans" not in name for name in trainings)


def test_a_new_default_in_params_changes_the_trainings_that_have_it(
    before: dict[str, str], clone: Path
) -> None:
    edit(clone, "iic/params/training.py", "beta1: float = Field(0.9", "beta1: float = Field(0.8")
    changed_jobs = changed(before, fingerprints(clone))
    assert {"train digits/iic/seed0", "train digits/iic-corrected/seed0"} <= changed_jobs
    assert "train digits/kmeans/seed0" not in changed_jobs


def test_a_setting_changes_its_own_training_alone(before: dict[str, str], clone: Path) -> None:
    edit(clone, f"params/scales/{SCALE}.yaml", "{restarts: 1}", "{restarts: 2}")
    assert changed(before, fingerprints(clone)) == {"train digits/kmeans/seed0", "audit"}


def test_the_order_of_splits_counts(before: dict[str, str], clone: Path) -> None:
    edit(
        clone, "params/datasets.yaml", "{train: 60000, test: 10000}", "{test: 10000, train: 60000}"
    )
    assert changed(before, fingerprints(clone)) == set(), "mnist is not in this scale"
    script = (
        "from iic.provenance import fingerprint\n"
        "print(fingerprint.value('prepare', dataset='mnist'),"
        " fingerprint.value('train', scale='laptop', run='mnist/iic'))"
    )
    other, same = (run_in(root, "-c", script) for root in (clone, ROOT))
    assert len(other.stdout.split()) == 2, other.stderr
    assert not set(other.stdout.split()) & set(same.stdout.split())


def test_how_data_are_prepared_changes_trainings(before: dict[str, str], clone: Path) -> None:
    edit(
        clone,
        "params/datasets.yaml",
        "splits: {train: 1297, test: 500}",
        "splits: {train: 1296, test: 501}",
    )
    assert rules(changed(before, fingerprints(clone))) == {
        "prepare",
        "train",
        "evaluate",
        "tabulate",
    }


def test_a_display_that_is_taken_away_leaves_the_others_alone(
    before: dict[str, str], clone: Path
) -> None:
    append(clone, f"params/scales/{SCALE}.yaml", "figures: [figure_3, figure_4]\n")
    after = fingerprints(clone)
    assert {name for name in after if after[name] != before[name]} == {"audit"}
    assert len(after) < len(before)


def test_what_a_table_says_of_its_scale_changes_the_displays(
    before: dict[str, str], clone: Path
) -> None:
    edit(clone, f"params/scales/{SCALE}.yaml", "two CPU cores", "three CPU cores")
    assert rules(changed(before, fingerprints(clone))) == {"tabulate", "draw"}


def test_settings_without_influence_do_not_count(before: dict[str, str], clone: Path) -> None:
    edit(
        clone,
        f"params/scales/{SCALE}.yaml",
        "snapshot_steps: []}",
        "snapshot_steps: [], checkpoint_seconds: 7}",
    )
    assert changed(before, fingerprints(clone)) == set()


def test_marks_are_found_at_any_depth() -> None:
    class Inner(Model):
        kept: int = 1
        dropped: int = Field(2, json_schema_extra={"no_influence": True})

    class Outer(Model):
        one: Inner = Inner()
        listed: tuple[Inner, ...] = (Inner(), Inner())
        by_name: dict[str, Inner | None] = {"a": Inner(), "b": None}
        dropped: Inner = Field(Inner(), json_schema_extra={"no_influence": True})

    kept = {"kept": 1}
    expected = {"one": kept, "listed": [kept, kept], "by_name": {"a": kept, "b": None}}
    assert relevant.influencing(Outer()) == expected


def test_code_of_the_evaluation(before: dict[str, str], clone: Path) -> None:
    change(clone / "iic/evaluate/selection.py", "select")
    changed_jobs = changed(before, fingerprints(clone))
    assert "evaluate digits/iic/seed0" in changed_jobs
    assert "train" not in rules(changed_jobs)


def test_a_reader_changes_what_it_reads_and_all_that_is_trained_on_it(
    before: dict[str, str], clone: Path
) -> None:
    change(clone / "iic/data/digits.py", "read")
    changed_jobs = changed(before, fingerprints(clone))
    assert rules(changed_jobs) == {"prepare", "train"}
    change(clone / "iic/data/mnist.py", "read")
    assert changed(before, fingerprints(clone)) == changed_jobs


def test_raw_bytes_count_and_where_they_come_from_does_not(
    before: dict[str, str], clone: Path
) -> None:
    catalogue = "params/datasets.yaml"
    edit(clone, catalogue, "licence: CC BY 4.0", "licence: unknown\n  mirrors: [http://a.b/c/]")
    assert changed(before, fingerprints(clone, IIC_MIRROR="/somewhere")) == set()
    edit(clone, catalogue, "09f66e6deb", "19f66e6deb")
    assert rules(changed(before, fingerprints(clone))) == {"download", "prepare", "train"}


def test_published_numbers_change_their_table(before: dict[str, str], clone: Path) -> None:
    append(clone, "params/published/table_1.csv", "\n")
    assert changed(before, fingerprints(clone)) == {"tabulate table_1", "audit"}


def test_the_lock_file_counts_where_that_is_asked_for(before: dict[str, str], clone: Path) -> None:
    strict = fingerprints(clone, IIC_STRICT_ENV="1")
    assert changed(before, strict) == set(before)
    append(clone, "requirements.lock", "# edited\n")
    assert changed(before, fingerprints(clone)) == set()
    assert changed(strict, fingerprints(clone, IIC_STRICT_ENV="1")) == set(before)


def test_code_that_cannot_be_read_is_a_clear_error(clone: Path) -> None:
    append(clone, "iic/engine/loop.py", "\ndef :\n")
    done = run_in(clone, "-c", ALL)
    assert "CodeError" in done.stderr
    assert re.search(r"iic/engine/loop.py:\d+: no valid Python", done.stderr)


def test_code_that_cannot_be_read_stops_those_that_need_it_alone(clone: Path) -> None:
    append(clone, "iic/methods/dec/task.py", "\ndef :\n")
    names = ("digits/dec", "digits/kmeans", "digits/iic")
    script = "from iic.provenance import fingerprint\n" + "".join(
        f"print(fingerprint.value('train', scale='smoke', run={name!r}))\n"
        for name in (*names, "digits/dec")
    ) + "print(fingerprint.value('audit', scale='smoke'))"  # fmt: skip
    broken, complete = (run_in(root, "-c", script) for root in (clone, ROOT))
    assert broken.returncode == 0, broken.stderr
    assert re.findall(r"iic/methods/dec/task.py:\d+: no valid Python", broken.stderr) != []
    assert broken.stderr.count("cannot run") == 1
    pairs = zip(broken.stdout.split(), complete.stdout.split(), strict=True)
    assert [value == other for value, other in pairs] == [False, True, True, False, False]
    done = run_in(clone, "-m", "iic", "train", "--scale", "smoke", "--run", "digits/dec")
    assert done.returncode == 1 and "iic/methods/dec/task.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_planning_is_light_and_quick(clone: Path) -> None:
    code = (
        "import sys, time\nstart = time.process_time()\n"
        + ALL
        + "spent = time.process_time() - start\n"
        "heavy = {'torch', 'torchvision', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'pyarrow',"
        " 'snakemake'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "print(spent)"
    )
    spent = []
    for _ in range(3):
        done = run_in(clone, "-c", code)
        assert done.returncode == 0, done.stderr
        spent.append(float(done.stdout.splitlines()[-1]))
    # the quickest, since other work on the machine costs processor time as well
    assert min(spent) < 7.1 * parsing(), spent


def receipt(path: Path, written: str, *accepted: str) -> Path:
    acceptances = [{"fingerprint": value} for value in accepted]
    path.write_text(json.dumps({"fingerprint": {"value": written}, "acceptances": acceptances}))
    return path


def test_a_plan_that_is_out_of_date_is_refused() -> None:
    check_plan(None, "a", "train x")
    check_plan("a", "a", "train x")
    with pytest.raises(PlanChanged, match=r"train x: .* changed after .* run the same command"):
        check_plan("b", "a", "train x")


def test_another_setting_of_a_base_retrains_what_starts_from_it(
    before: dict[str, str], clone: Path
) -> None:
    old = "stl10_standin/iic_star-features: {head: {k: 35}"
    edit(clone, "params/scales/mini.yaml", old, old.replace("35", "36"))
    trained = {name for name in changed(before, fingerprints(clone)) if name.startswith("train ")}
    assert trained == {
        f"train stl10_standin/{run}/seed0" for run in ("iic_star-features", "finetune")
    }
