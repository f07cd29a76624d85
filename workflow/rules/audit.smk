"""The audit: from each cell of each table back to the raw bytes.

Inputs: all tables, figures and receipts of the scale
Outputs: results/<scale>/audit.json, results/<scale>/audit.html
Test with: snakemake --cores 1 --config scale=smoke -- audit
"""


rule audit:
    """Verify hashes, recompute metrics, rebuild tables, close every chain of receipts."""
    input:
        # of figures the receipt alone: the time of a large file says nothing
        lambda wildcards: small_inputs(jobs.audit(SCALE)),
    output:
        report=f"{RESULTS}/audit.json",
        page=f"{RESULTS}/audit.html",
    params:
        fp=lambda wildcards: fp("audit", scale=SCALE),
        scale=SCALE,
    resources:
        runtime=by_attempt(60),
        mem_mb=by_attempt(4000),
    log:
        f"{LOGS}/audit.log",
    benchmark:
        f"{LOGS}/audit.benchmark.tsv"
    message:
        "Auditing every number of this scale, from the tables back to the raw data."
    shell:
        # drift of code or environment is reported, and is no reason to stop the workflow; what
        # could be inferred in a given time would differ from one audit to the next
        "python -m iic audit --scale {params.scale:q} --write --allow-drift --report-follows --no-infer"
        " --log {log:q}"
