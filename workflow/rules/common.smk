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


def seed_folders(runs):
    """Folder of each seed of each run, below runs/ and artifacts/."""
    return [f"{run.id}/seed{seed}" for run in runs for seed in run.seeds]


def files_of_runs(pattern, runs):
    """`pattern` with its {folder} filled in for every seed of every run."""
    return expand(pattern, folder=seed_folders(runs))


def trained(wildcards):
    """The run that a training's wildcards name, with its resolved settings."""
    return PLAN.run(f"{wildcards.dataset}/{wildcards.run}")


def base_files(pattern):
    """Files of the run whose weights a training starts from; none for most trainings."""

    def of(wildcards):
        base = PLAN.base_of(trained(wildcards))
        return (
            []
            if base is None
            else [pattern.format(folder=f"{base.id}/seed{wildcards.seed}")]
        )

    return of


def figure_folders(wildcards):
    """Seed folders of the runs that a figure is drawn from."""
    places = PLAN.figure_places(wildcards.name)
    return [f"{run.id}/seed{seed}" for run, seed in places]


def figure_artifacts(wildcards):
    """Seed folders whose artifacts a figure is drawn from; none if small files are enough."""
    reads = fingerprint.reads_artifacts(SCALE, wildcards.name)
    return figure_folders(wildcards) if reads else []


def figure_datasets(wildcards):
    """Datasets of the runs that a figure is drawn from."""
    return list(
        dict.fromkeys(folder.split("/")[0] for folder in figure_folders(wildcards))
    )


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
    """Three times the estimate that `iic status` shows, which counts multiplications alone, and a
    second for 20 steps, in whole hours; two hours at least, and a day where nobody can estimate.
    A training that needs more goes on at the next attempt."""
    run = trained(wildcards)
    cost = run.settings.cost(PLAN.datasets[run.dataset])
    if cost is None:
        return 24 * 60 * attempt
    workers = 1 if run.settings.gpu else run.settings.threads
    hours = 3 * cost.hours(run.settings.gpu) / workers + cost.steps / 20 / 3600
    return max(2, round(hours)) * 60 * attempt


def one_of(names):
    """Pattern of a wildcard that stands for one of `names`; of nothing where there are none."""
    return "|".join(names) or "(?!)"
