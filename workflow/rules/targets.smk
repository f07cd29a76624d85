"""What the workflow was asked for: a run or a seed of one gets a rule, and every name is checked.

Included last, once all rules are known.

Inputs: PLAN, read in workflow/Snakefile, and all rules
Outputs: none
Test with: snakemake -n --config scale=smoke -- digits/kmeans/seed0; the same with table_9
"""

from snakemake.cli import get_argument_parser


def asked_for():
    """Targets of the command line: Snakemake itself hands them on only later."""
    given, _ = get_argument_parser().parse_known_args(sys.argv[1:])
    return given.targets


# a job's own process is asked for what is planned already
ASKED = asked_for() if workflow.is_main_process and "snakemake" in sys.argv[0] else []

for TARGET in ASKED:
    if SCORED := jobs.scores(PLAN, TARGET):

        rule:
            name:
                TARGET
            input:
                [job.outputs for job in SCORED],


try:
    check_targets(
        ASKED,
        PLAN,
        # named behind the include of this file
        [*(rule.name for rule in workflow.rules), "all", "default"],
        lambda path: any(rule.is_producer(path) for rule in workflow.rules),
    )
    if PLANS:
        # here, since Snakemake passes over what an input function raises
        JUDGE.check(jobs.asked_for(PLAN, ASKED))
except IICError as error:
    raise WorkflowError(str(error)) from None
