"""Scores of all runs of a dataset, computed from their assignments.

Inputs: results/<scale>/runs/<dataset>/<run>/seed<N>/{run.json,assignments.parquet}
Outputs: evaluation.json and its receipt beside them
Test with: snakemake --cores 1 --config scale=smoke -- runs
"""


rule runs:
    input:
        [
            job.outputs
            for dataset in PLAN.datasets
            for job in graph.evaluations(PLAN, dataset)
        ],


# one job a dataset, since scoring a run takes less time than starting Python for it
for DATASET in dict.fromkeys(run.dataset for run in PLAN.runs.values()):
    SCORED = graph.evaluations(PLAN, DATASET)

    rule:
        """Match clusters to classes and make the four selections; needs no network."""
        name:
            f"evaluate_{DATASET}"
        input:
            small=small_inputs(*SCORED),
            large=ancient(large_inputs(*SCORED)),
        output:
            evaluations=[job.outputs for job in SCORED],
            receipts=[job.receipt for job in SCORED],
        params:
            fp=fp("evaluate", scale=SCALE, dataset=DATASET),
            dataset=DATASET,
            scale=SCALE,
        resources:
            runtime=by_attempt(60),
            mem_mb=by_attempt(4000),
        log:
            f"{LOGS}/evaluate/{DATASET}.log",
        benchmark:
            f"{LOGS}/evaluate/{DATASET}.benchmark.tsv"
        message:
            "Scoring every run on {params.dataset} from its assignments."
        shell:
            "python -m iic evaluate --scale {params.scale:q} --dataset {params.dataset:q}"
            " --fingerprint {params.fp:q} --log {log:q}"
