"""Scores of a run, computed from its assignments.

Inputs: results/<scale>/runs/<dataset>/<run>/seed<N>/{run.json,assignments.parquet}
Outputs: evaluation.json and its receipt beside them
Test with: snakemake --cores 1 --config scale=smoke -- runs
"""


# a second each, so that a queue would cost more than it gives
localrules:
    evaluate,


rule runs:
    input:
        [job.outputs for job in jobs.all_jobs(PLAN) if job.rule == "evaluate"],


rule evaluate:
    """Match clusters to classes and make the four selections; needs no network."""
    input:
        small=lambda wildcards: small_inputs(of_run(jobs.evaluate, wildcards)),
        large=ancient(lambda wildcards: large_inputs(of_run(jobs.evaluate, wildcards))),
    output:
        evaluation=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/evaluation.json",
        receipt=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/evaluation.run.json",
    params:
        fp=lambda wildcards: fp("evaluate", scale=SCALE, run=trained(wildcards).id),
        scale=SCALE,
    resources:
        runtime=by_attempt(30),
        mem_mb=by_attempt(4000),
    log:
        f"{LOGS}/evaluate/{{dataset}}/{{run}}/seed{{seed}}.log",
    benchmark:
        f"{LOGS}/evaluate/{{dataset}}/{{run}}/seed{{seed}}.benchmark.tsv"
    message:
        "Scoring {wildcards.run} on {wildcards.dataset} with seed {wildcards.seed}."
    shell:
        "python -m iic evaluate --scale {params.scale:q}"
        " --run {wildcards.dataset:q}/{wildcards.run:q} --seed {wildcards.seed:q}"
        " --fingerprint {params.fp:q} --log {log:q}"
