"""Trainings: one job is one run with one seed.

Inputs: data/prepared/<dataset>/
Outputs: results/<scale>/runs/<dataset>/<run>/seed<N>/ (small files, run.json is the receipt) and
    results/<scale>/artifacts/<same path>/ (weights, probabilities, snapshots)
Test with: snakemake --cores all --config scale=smoke -- train
"""

IIC_RUNS = [run for run in PLAN.runs.values() if run.method == "iic.methods.iic"]
BASELINE_RUNS = [run for run in PLAN.runs.values() if run not in IIC_RUNS]


def settings_of(wildcards):
    """The run's resolved settings."""
    return PLAN.run(f"{wildcards.dataset}/{wildcards.run}").settings


def train_threads(wildcards):
    """CPU threads are part of the settings, since their number changes the last bits."""
    return settings_of(wildcards).threads


def train_gpus(wildcards):
    """GPUs to ask the scheduler for."""
    return int(settings_of(wildcards).gpu)


def train_fingerprint(wildcards):
    """Code of the method and engine, resolved settings, raw data."""
    run = f"{wildcards.dataset}/{wildcards.run}"
    return fp("train", scale=SCALE, run=run, seed=int(wildcards.seed))


rule train:
    input:
        expand(f"{RESULTS}/runs/{{folder}}/run.json", folder=seed_folders(IIC_RUNS)),


rule baselines:
    input:
        expand(
            f"{RESULTS}/runs/{{folder}}/run.json", folder=seed_folders(BASELINE_RUNS)
        ),


rule train_run:
    """Train one method with one seed; checkpoints lie in scratch/, so a killed job goes on."""
    input:
        data="data/prepared/{dataset}/data.json",
        images=ancient("data/prepared/{dataset}/images.npy"),
    output:
        receipt=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/run.json",
        history=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/history.jsonl",
        assignments=f"{RESULTS}/runs/{{dataset}}/{{run}}/seed{{seed}}/assignments.parquet",
        artifacts=directory(f"{RESULTS}/artifacts/{{dataset}}/{{run}}/seed{{seed}}"),
    log:
        f"logs/{SCALE}/train/{{dataset}}/{{run}}/seed{{seed}}.log",
    benchmark:
        f"logs/{SCALE}/train/{{dataset}}/{{run}}/seed{{seed}}.benchmark.tsv"
    threads: train_threads
    resources:
        gpu=train_gpus,
        runtime=lambda wildcards, attempt: 1440 * attempt,
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
    params:
        fp=train_fingerprint,
    message:
        "Training {wildcards.run} on {wildcards.dataset} with seed {wildcards.seed}."
    shell:
        "python -m iic train --scale {SCALE:q} --run {wildcards.dataset:q}/{wildcards.run:q}"
        " --seed {wildcards.seed:q} --fingerprint {params.fp:q} --log {log:q}"
