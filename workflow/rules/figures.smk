"""Figures of the paper, drawn from what the runs left on disk.

Inputs: evaluation.json of the runs that the figure shows, and what params/figures.yaml says that it
    reads besides: files of their trainings, their data
Outputs: results/<scale>/figures/<name>.{svg,png,sources.json,run.json}
Test with: snakemake --cores 1 --config scale=smoke -- figure_3
"""


rule figures:
    input:
        expand(f"{RESULTS}/figures/{{name}}.svg", name=PLAN.figures),


rule draw:
    """Draw one figure as svg and png."""
    input:
        small=lambda wildcards: small_inputs(jobs.draw(SCALE, wildcards.name)),
        large=ancient(lambda wildcards: large_inputs(jobs.draw(SCALE, wildcards.name))),
    output:
        svg=f"{RESULTS}/figures/{{name}}.svg",
        png=f"{RESULTS}/figures/{{name}}.png",
        sources=f"{RESULTS}/figures/{{name}}.sources.json",
        receipt=f"{RESULTS}/figures/{{name}}.run.json",
    params:
        fp=lambda wildcards: fp("draw", scale=SCALE, name=wildcards.name),
        scale=SCALE,
    resources:
        runtime=by_attempt(30),
        mem_mb=by_attempt(4000),
    wildcard_constraints:
        name=one_of(PLAN.figures),
    log:
        f"{LOGS}/draw/{{name}}.log",
    benchmark:
        f"{LOGS}/draw/{{name}}.benchmark.tsv"
    message:
        "Drawing {wildcards.name} from what its runs left on disk."
    shell:
        "python -m iic draw --scale {params.scale:q} --name {wildcards.name:q}"
        " --fingerprint {params.fp:q} --log {log:q}"


for NAME in PLAN.figures:

    rule:
        name:
            NAME
        input:
            f"{RESULTS}/figures/{NAME}.svg",
