"""What several rules ask about the plan. Nothing here looks at files: names decide.

Inputs: CONFIG and PLAN, read in workflow/Snakefile
Outputs: none; functions only, called by the other files of this folder
Test with: snakemake -n
"""


def fp(rule, **names):
    """What the rule's result depends on, hashed: content decides, not modification times."""
    try:
        return fingerprint.value(rule, **names)
    except IICError as error:
        raise WorkflowError(str(error)) from None


def small_inputs(*together):
    """Receipts and other small inputs of jobs that one rule does together, compared by content."""
    return list(map(str, graph.small_inputs(PLAN, together)))


def large_inputs(*together):
    """Their large inputs, for which receipts speak: to be marked as ancient, for their times say
    nothing."""
    return list(map(str, graph.large_inputs(PLAN, together)))


def receipts_of(runs):
    """The receipt of each training of some runs."""
    return [
        jobs.train(SCALE, run.id, seed).receipt for run in runs for seed in run.seeds
    ]


def training(wildcards):
    """The job that a training's wildcards name."""
    return jobs.train(SCALE, trained(wildcards).id, int(wildcards.seed))


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
