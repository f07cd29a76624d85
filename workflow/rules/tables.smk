"""Tables of the paper, each number beside the published one.

Inputs: evaluation.json of the runs that the table shows, with its receipt; params/published/;
    data.json of the prepared datasets for a table of their sizes
Outputs: results/<scale>/tables/<name>.{csv,md,tex,sources.json,run.json}
Test with: snakemake --cores 1 --config scale=smoke -- table_1
"""

TABLES = [*PLAN.tables, *PLAN.listings]


# a second each, so that a queue would cost more than it gives
localrules:
    tabulate,


rule tables:
    input:
        expand(f"{RESULTS}/tables/{{name}}.csv", name=TABLES),


rule tabulate:
    """Write one table as tidy csv, md and tex, with the sources of each cell."""
    input:
        small=lambda wildcards: small_inputs(jobs.tabulate(SCALE, wildcards.name)),
    output:
        csv=f"{RESULTS}/tables/{{name}}.csv",
        md=f"{RESULTS}/tables/{{name}}.md",
        tex=f"{RESULTS}/tables/{{name}}.tex",
        sources=f"{RESULTS}/tables/{{name}}.sources.json",
        receipt=f"{RESULTS}/tables/{{name}}.run.json",
    params:
        fp=lambda wildcards: fp("tabulate", scale=SCALE, name=wildcards.name),
        scale=SCALE,
    resources:
        runtime=by_attempt(30),
        mem_mb=by_attempt(4000),
    wildcard_constraints:
        name=one_of(TABLES),
    log:
        f"{LOGS}/tabulate/{{name}}.log",
    benchmark:
        f"{LOGS}/tabulate/{{name}}.benchmark.tsv"
    message:
        "Writing {wildcards.name}, with the receipts that each cell comes from."
    shell:
        "python -m iic tabulate --scale {params.scale:q} --name {wildcards.name:q}"
        " --fingerprint {params.fp:q} --log {log:q}"


for NAME in TABLES:

    rule:
        name:
            NAME
        input:
            f"{RESULTS}/tables/{NAME}.csv",
