"""Reading the plan and all fingerprints takes no time and loads nothing heavy."""

from __future__ import annotations

import json
import sys

from tests.timing import parsing
from tests.workflow.workflow_helpers import ROOT, run

# what workflow/Snakefile and the rules do while they are read, without Snakemake itself
READ = """
import json, sys, time
from iic.params.config import read_config
from iic.params.runs import load_plan
from iic.provenance import fingerprint
from iic.provenance.jobs import all_jobs
plan = load_plan(read_config({"scale": "mini"}).scale)
seen = 0
for job in all_jobs(plan):
    names = {key: value for key, value in job.wildcards.items() if key != "seed"}
    seen += bool(fingerprint.value(job.rule, **names))
fingerprint.value("audit", scale="mini")
fingerprint.value("report", scale="mini")
print(json.dumps({"jobs": seen, "seconds": time.process_time(), "modules": sorted(sys.modules)}))
"""
HEAVY = {"torch", "torchvision", "pandas", "sklearn", "scipy", "matplotlib", "pyarrow"}


def test_planning_is_quick_and_light() -> None:
    readings = [json.loads(run(ROOT, sys.executable, "-c", READ).said) for _ in range(2)]
    assert all(one["jobs"] > 20 for one in readings)
    assert not HEAVY & set(readings[0]["modules"])
    # CPU time, imports included: other work on the machine does not count
    assert min(one["seconds"] for one in readings) < 7.1 * parsing()
