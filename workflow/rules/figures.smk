"""Figures of the paper, drawn from what the runs left on disk.

Inputs: run.json, evaluation.json and artifacts of the runs that the figure shows
Outputs: results/<scale>/figures/<name>.{svg,png,sources.json,run.json}
Test with: snakemake --cores 1 --config scale=smoke -- figure_3
"""


def figure_folders(wildcards):
    """Seed folders of the runs that a figure is drawn from."""
    figure = PLAN.figures[wildcards.name]
    return [
        f"{run.id}/seed{seed}"
        for run in PLAN.figure_runs(figure)
        for seed in (run.seeds if figure.seeds == "all" else run.seeds[:1])
    ]


rule figures:
    input:
        expand(f"{RESULTS}/figures/{{name}}.svg", name=PLAN.figures),


rule draw:
    """Draw one figure as svg and png."""
    input:
        receipts=lambda wildcards: expand(
            f"{RESULTS}/runs/{{folder}}/run.json", folder=figure_folders(wildcards)
        ),
        evaluations=lambda wildcards: expand(
            f"{RESULTS}/runs/{{folder}}/evaluation.json",
            folder=figure_folders(wildcards),
        ),
        artifacts=ancient(
            lambda wildcards: expand(
                f"{RESULTS}/artifacts/{{folder}}", folder=figure_folders(wildcards)
            )
        ),
    output:
        svg=f"{RESULTS}/figures/{{name}}.svg",
        png=f"{RESULTS}/figures/{{name}}.png",
        sources=f"{RESULTS}/figures/{{name}}.sources.json",
        receipt=f"{RESULTS}/figures/{{name}}.run.json",
    log:
        f"logs/{SCALE}/draw/{{name}}.log",
    benchmark:
        f"logs/{SCALE}/draw/{{name}}.benchmark.tsv"
    resources:
        runtime=30,
        mem_mb=4000,
    params:
        fp=lambda wildcards: fp("draw", scale=SCALE, name=wildcards.name),
    message:
        "Drawing {wildcards.name}."
    shell:
        "python -m iic draw --scale {SCALE:q} --name {wildcards.name:q}"
        " --fingerprint {params.fp:q} --log {log:q}"


for NAME in PLAN.figures:

    rule:
        name:
            NAME
        input:
            f"{RESULTS}/figures/{NAME}.svg",
