"""Trainings: one job is one run with one seed.

Inputs: data/prepared/<dataset>/, and receipt and weights of the run that it starts from, if any
Outputs: results/<scale>/runs/<dataset>/<run>/seed<N>/ (small files, run.json is the receipt) and
    results/<scale>/artifacts/<same path>/ (weights, probabilities, snapshots)
Test with: snakemake --cores all --config scale=smoke -- train
"""


rule train:
    input:
        receipts_of(PLAN.own_runs),


rule baselines:
    input:
        receipts_of(PLAN.baseline_runs),


rule ablations:
    input:
        receipts_of(PLAN.ablation_runs),


rule train_run:
    """Train one method with one seed; checkpoints lie in scratch/, so a killed job goes on."""
    input:
        small=lambda wildcards: small_inputs(of_run(jobs.train, wildcards)),
        large=ancient(lambda wildcards: large_inputs(of_run(jobs.train, wildcards))),
    output:
        receipt=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/run.json",
        history=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/history.jsonl",
        assignments=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/assignments.parquet",
        artifacts=directory(f"{RESULTS}/artifacts/{{dataset}}/{{run}}/seed{{seed}}"),
    params:
        # code of method and engine, resolved settings, raw data
        fp=lambda wildcards: fp("train", scale=SCALE, run=trained(wildcards).id),
        scale=SCALE,
    # CPU threads are part of the settings, since their number changes the last bits
    threads: lambda wildcards: trained(wildcards).settings.threads
    resources:
        gpu=lambda wildcards: int(trained(wildcards).settings.gpu),
        runtime=training_minutes,
        mem_mb=training_memory,
    log:
        f"{LOGS}/train/{{dataset}}/{{run}}/seed{{seed}}.log",
    benchmark:
        f"{LOGS}/train/{{dataset}}/{{run}}/seed{{seed}}.benchmark.tsv"
    message:
        "Training {wildcards.run} on {wildcards.dataset} with seed {wildcards.seed}."
    shell:
        "python -m iic train --scale {params.scale:q} --run {wildcards.dataset:q}/{wildcards.run:q}"
        " --seed {wildcards.seed:q} --fingerprint {params.fp:q} --log {log:q}"
