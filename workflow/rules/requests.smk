"""What jobs may take, as a batch system would be told, shown by a dry run: included behind all rules.

Inputs: all rules
Outputs: none
Test with: snakemake -n --config scale=paper -- data
"""

from snakemake.cli import get_argument_parser

LIMITS = (
    " At most {threads} threads, {resources.mem_mb} MB, {resources.runtime} minutes"
)


def dry_run():
    """Whether the command line only wants to know what would run: Snakemake itself says so later."""
    given, _ = get_argument_parser().parse_known_args(sys.argv[1:])
    return given.dryrun


if workflow.is_main_process and "snakemake" in sys.argv[0] and dry_run():
    for job in workflow.rules:
        if job.message:
            gpus = ", {resources.gpu} GPUs" if "gpu" in job.resources else ""
            job.message += f"{LIMITS}{gpus}."
