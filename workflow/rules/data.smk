"""Raw files and prepared arrays.

Inputs: params/datasets.yaml and its mirrors, or --config mirror=FOLDER_OR_URL
Outputs: data/raw/<dataset>/files.json, data/prepared/<dataset>/data.json and the files they list
Test with: snakemake --cores 1 -- data
"""


# nodes of a cluster often see no network
localrules:
    download,


rule data:
    input:
        expand("data/prepared/{dataset}/data.json", dataset=PLAN.datasets),


rule download:
    """Obtain the raw files of a dataset and check them by size and hash."""
    input:
        small=lambda wildcards: small_inputs(jobs.download(wildcards.dataset)),
    output:
        manifest="data/raw/{dataset}/files.json",
        receipt="data/raw/{dataset}/files.run.json",
    params:
        fp=lambda wildcards: fp("download", dataset=wildcards.dataset),
    resources:
        runtime=by_attempt(120),
        mem_mb=by_attempt(2000),
    retries: 2
    log:
        "logs/download/{dataset}.log",
    benchmark:
        "logs/download/{dataset}.benchmark.tsv"
    message:
        "Obtaining the raw files of {wildcards.dataset} and checking them by size and hash."
    shell:
        "python -m iic download --dataset {wildcards.dataset:q}"
        " --fingerprint {params.fp:q} --log {log:q}"


rule prepare:
    """Turn raw files into uint8 images and labels, in the order of the splits."""
    input:
        small=lambda wildcards: small_inputs(jobs.prepare(wildcards.dataset)),
    output:
        manifest="data/prepared/{dataset}/data.json",
        images="data/prepared/{dataset}/images.npy",
        labels="data/prepared/{dataset}/labels.npy",
        receipt="data/prepared/{dataset}/data.run.json",
    params:
        fp=lambda wildcards: fp("prepare", dataset=wildcards.dataset),
    # images with label maps are decoded and scaled side by side; the result is the same
    threads: lambda wildcards: 8 if PLAN.datasets[wildcards.dataset].maps else 1
    resources:
        runtime=by_attempt(120),
        mem_mb=preparing_memory,
    wildcard_constraints:
        dataset=one_of(name for name, entry in PLAN.datasets.items() if entry.labelled),
    log:
        "logs/prepare/{dataset}.log",
    benchmark:
        "logs/prepare/{dataset}.benchmark.tsv"
    message:
        "Turning the raw files of {wildcards.dataset} into arrays."
    shell:
        "python -m iic prepare --dataset {wildcards.dataset:q} --workers {threads:q}"
        " --fingerprint {params.fp:q} --log {log:q}"


use rule prepare as prepare_unlabelled with:
    output:
        manifest="data/prepared/{dataset}/data.json",
        images="data/prepared/{dataset}/images.npy",
        receipt="data/prepared/{dataset}/data.run.json",
    wildcard_constraints:
        dataset=one_of(
            name for name, entry in PLAN.datasets.items() if not entry.labelled
        ),
