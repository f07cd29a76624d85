"""The audit: from each cell of each table back to the raw bytes.

Inputs: all tables, figures and receipts of the scale
Outputs: results/<scale>/audit.json
Test with: snakemake --cores 1 --config scale=smoke -- audit
"""


rule audit:
    """Verify hashes, recompute metrics, rebuild tables, close every chain of receipts."""
    input:
        rules.tables.input,
        rules.figures.input,
    output:
        f"{RESULTS}/audit.json",
    log:
        f"logs/{SCALE}/audit.log",
    benchmark:
        f"logs/{SCALE}/audit.benchmark.tsv"
    resources:
        runtime=60,
        mem_mb=4000,
    params:
        fp=fp("audit", scale=SCALE),
    message:
        "Auditing every number of this scale, from the tables back to the raw data."
    shell:
        # drift of code or environment is reported, and is no reason to stop the workflow
        "python -m iic audit --scale {SCALE:q} --allow-drift --log {log:q}"
