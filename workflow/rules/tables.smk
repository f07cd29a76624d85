"""Tables of the paper, each number beside the published one.

Inputs: evaluation.json of the runs that the table shows; params/published/
Outputs: results/<scale>/tables/<name>.{csv,md,tex,sources.json,run.json}
Test with: snakemake --cores 1 --config scale=smoke -- table_1
"""

TABLES = [*PLAN.tables, *PLAN.listings]


def evaluations(wildcards):
    """The scores that a table is made of; a table computed from the code has none."""
    if wildcards.name in PLAN.listings:
        return []
    shown = {row.run for row in PLAN.tables[wildcards.name].rows}
    runs = [run for run in PLAN.runs.values() if run.name in shown]
    return expand(
        f"{RESULTS}/runs/{{folder}}/evaluation.json", folder=seed_folders(runs)
    )


rule tables:
    input:
        expand(f"{RESULTS}/tables/{{name}}.csv", name=TABLES),


rule tabulate:
    """Write one table as tidy csv, md and tex, with the sources of each cell."""
    input:
        evaluations,
    output:
        multiext(
            f"{RESULTS}/tables/{{name}}",
            ".csv",
            ".md",
            ".tex",
            ".sources.json",
            ".run.json",
        ),
    log:
        f"logs/{SCALE}/tabulate/{{name}}.log",
    benchmark:
        f"logs/{SCALE}/tabulate/{{name}}.benchmark.tsv"
    resources:
        runtime=30,
        mem_mb=4000,
    params:
        fp=lambda wildcards: fp("tabulate", scale=SCALE, name=wildcards.name),
    message:
        "Writing {wildcards.name}, with the receipts that each cell comes from."
    shell:
        "python -m iic tabulate --scale {SCALE:q} --name {wildcards.name:q}"
        " --fingerprint {params.fp:q} --log {log:q}"


for NAME in TABLES:

    rule:
        name:
            NAME
        input:
            f"{RESULTS}/tables/{NAME}.csv",
