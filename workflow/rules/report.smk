"""The page that shows everything of a scale, each number with its provenance.

Inputs: all tables, figures and receipts of the scale, and its audit
Outputs: results/<scale>/report.html, results/<scale>/report.run.json
Test with: snakemake --cores 1 --config scale=smoke -- report
"""


rule report:
    """Gather tables, figures, timings and provenance in one page, with the audit's verdict."""
    input:
        small=lambda wildcards: small_inputs(jobs.report(SCALE)),
        large=ancient(lambda wildcards: large_inputs(jobs.report(SCALE))),
    output:
        page=f"{RESULTS}/report.html",
        receipt=f"{RESULTS}/report.run.json",
    params:
        fp=lambda wildcards: fp("report", scale=SCALE),
        scale=SCALE,
    resources:
        runtime=by_attempt(30),
        mem_mb=by_attempt(4000),
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{LOGS}/report.benchmark.tsv"
    message:
        "Gathering every number of this scale in one page, with its provenance."
    shell:
        "python -m iic report --scale {params.scale:q} --fingerprint {params.fp:q}"
        " --log {log:q}"
