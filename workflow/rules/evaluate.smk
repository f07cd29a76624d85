"""Scores of all runs of a dataset, computed from their assignments.

Inputs: results/<scale>/runs/<dataset>/<run>/seed<N>/{run.json,assignments.parquet}
Outputs: evaluation.json and its receipt beside them
Test with: snakemake --cores 1 --config scale=smoke -- results/smoke/runs/digits/kmeans/seed0/evaluation.json
"""


rule runs:
    input:
        expand(
            f"{RESULTS}/runs/{{folder}}/evaluation.json",
            folder=seed_folders(PLAN.runs.values()),
        ),


for DATASET in PLAN.datasets:
    FOLDERS = seed_folders(run for run in PLAN.runs.values() if run.dataset == DATASET)

    rule:
        """Match clusters to classes and make the four selections; needs no network."""
        name:
            f"evaluate_{DATASET}"
        input:
            expand(f"{RESULTS}/runs/{{folder}}/run.json", folder=FOLDERS),
        output:
            expand(f"{RESULTS}/runs/{{folder}}/evaluation.json", folder=FOLDERS),
            expand(f"{RESULTS}/runs/{{folder}}/evaluation.run.json", folder=FOLDERS),
        log:
            f"logs/{SCALE}/evaluate/{DATASET}.log",
        benchmark:
            f"logs/{SCALE}/evaluate/{DATASET}.benchmark.tsv"
        resources:
            runtime=60,
            mem_mb=4000,
        params:
            fp=fp("evaluate", scale=SCALE, dataset=DATASET),
            dataset=DATASET,
        message:
            "Scoring every run on {params.dataset} from its assignments."
        shell:
            "python -m iic evaluate --scale {SCALE:q} --dataset {params.dataset:q}"
            " --fingerprint {params.fp:q} --log {log:q}"
