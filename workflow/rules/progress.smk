"""What a person sees while the workflow runs: one line for each finished job.

Snakemake's own lines stay in its log in .snakemake/log/. On the terminal they are shown in a dry
run, and where one of ITS_OWN asks for more of them or fewer.

Inputs: PLAN, read in workflow/Snakefile
Outputs: none
Test with: snakemake --cores 1 --config scale=smoke -- table_1
"""

from snakemake.logging import logger

ITS_OWN = "dryrun quiet verbose printshellcmds show_failed_logs debug_dag".split()


def expected_seconds():
    """What each job of this run may take, by its number: as measured here before, or estimated."""
    trainings = progress.expected_trainings(PLAN)
    expected = {}
    # targets that only gather other jobs have no log
    for job in filter(lambda job: job.log, workflow.dag.needrun_jobs()):
        measured = job.benchmark and progress.measured_seconds(Path(job.benchmark))
        if job.rule.name == "train_run":
            estimated = trainings.get(
                (trained(job.wildcards).id, int(job.wildcards.seed)), 0
            )
        else:
            estimated = 0
        expected[workflow.dag.jobid(job)] = measured or progress.START + estimated
    return expected


if workflow.is_main_process and not any(
    getattr(workflow.output_settings, name) for name in ITS_OWN
):
    for handler in list(logger.handlers):
        # a logger that the user chose has no such handler, and stays
        if handler.name == "DefaultStreamHandler":
            logger.removeHandler(handler)
            logger.addHandler(
                progress.Progress(
                    expected_seconds,
                    handler.stream,
                    colour=not workflow.output_settings.nocolor,
                )
            )
