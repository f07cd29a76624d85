"""What several rules ask about the plan, and which jobs are due again by their receipts.

Inputs: CONFIG and PLAN, read in workflow/Snakefile; the receipts in results/<scale>/ and data/
Outputs: none; functions only, called by the other files of this folder
Test with: snakemake -n
"""

from snakemake.logging import logger
from snakemake.settings.enums import RerunTrigger

# a job's own process runs what was planned
PLANS = workflow.is_main_process
JUDGE = due.Judge(PLAN)
SHOWN = 10
SAID = set()


def fp(rule, **names):
    """What the rule's result depends on, hashed: content decides, not modification times."""
    try:
        return fingerprint.value(rule, **names)
    except IICError as error:
        raise WorkflowError(str(error)) from None


def small_inputs(job):
    """Receipts and other small inputs of a job, which is forced where it is due again."""
    files = graph.small_inputs(PLAN, job)
    if not PLANS:
        return list(map(str, files))
    # what Snakemake remembers may be of other results than those that lie here
    workflow.dag_settings.rerun_triggers = frozenset({RerunTrigger.MTIME})
    if (reason := JUDGE.due(job)) is not None:
        workflow.dag.forcefiles.add(str(job.receipt))
        say_due(job, reason)
    elif JUDGE.settled(job):
        JUDGE.put_in_order(job)
    unmoved = [*JUDGE.unmoved_by(job), *unvouched(job)]
    return needed(job, [path for path in files if path not in unmoved])


def large_inputs(job):
    """Its large inputs, for which receipts speak: to be marked as ancient, for their times say
    nothing. So are small ones that are no reason to run; of those, data without their receipts are
    needed by all that was made from them."""
    unmoved = JUDGE.unmoved_by(job) if PLANS else []
    large = needed(job, [*graph.large_inputs(PLAN, job), *unmoved])
    return [*large, *map(str, unvouched(job))]


def unvouched(job):
    """Data without their receipts, which are made again for a job that stands on them."""
    return JUDGE.unvouched(job) if PLANS and not forced_by_hand() else []


def needed(job, files):
    """Files as Snakemake is to know them: a job that is done needs no data, so that it stands where
    another job has them obtained again. If jobs are forced by hand, it may be one of them.
    """
    if PLANS and not forced_by_hand() and JUDGE.apart_from_data(job):
        files = [path for path in files if path.parts[0] != "data"]
    return list(map(str, files))


def forced_by_hand():
    """Whether the command line says that jobs are to run, due or not."""
    asked = workflow.dag_settings
    return asked.forceall or asked.forcetargets or asked.forcerun


def say_due(job, reason):
    """Say why a job runs again, of the first few."""
    SAID.add(job.name)
    if len(SAID) <= SHOWN:
        logger.info(f"{job.name} is due again: {reason}")
    elif len(SAID) == SHOWN + 1:
        logger.info("more jobs are due again: iic why says of each why")


def receipts_of(runs):
    """The receipt of each training of some runs."""
    return [
        jobs.train(SCALE, run.id, seed).receipt for run in runs for seed in run.seeds
    ]


def of_run(maker, wildcards):
    """The job of a rule that a training's wildcards name; `maker` is of iic.provenance.jobs."""
    return maker(SCALE, trained(wildcards).id, int(wildcards.seed))


def trained(wildcards):
    """The run that a training's wildcards name, with its resolved settings."""
    return PLAN.run(f"{wildcards.dataset}/{wildcards.run}")


def by_attempt(first):
    """A resource: `first`, and that much more each time that the job is tried anew."""
    return lambda wildcards, attempt: first * attempt


def image_megabytes(wildcards):
    """Size of a dataset's images, at most, as uint8."""
    dataset = PLAN.datasets[wildcards.dataset]
    shape = dataset.image
    pixels = shape.height * shape.width * shape.channels
    return sum(dataset.splits.values()) * pixels // 10**6


def preparing_memory(wildcards, attempt):
    """MB in which to prepare a dataset: its images twice, and what decodes them."""
    return (4000 + 2 * image_megabytes(wildcards)) * attempt


def training_memory(wildcards, attempt):
    """MB of the machine's memory, not the GPU's: images as read and as they are handed on, the
    latter as floating point in what a CPU trains."""
    copies = 2 if trained(wildcards).settings.gpu else 6
    return (6000 + copies * image_megabytes(wildcards)) * attempt


def training_minutes(wildcards, attempt):
    """Three times what receipts of the same settings say, or what is estimated, in whole hours. A
    training that needs more goes on at the next attempt."""
    return 60 * runtime.hours_asked(PLAN, trained(wildcards)) * attempt


def one_of(names):
    """Pattern of a wildcard that stands for one of `names`; of nothing where there are none."""
    return "|".join(names) or "(?!)"
