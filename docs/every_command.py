"""All commands, for their page and for the tests of their help; needs no mkdocs."""

# A page of the commands, each as its words after ``python``; what it prints with --help.
COMMANDS = (
    "train.py", "train.py pretrain", "-m datamodules", "-m datamodules.simulate", "-m datamodules fetch", "-m vaxis",
    "-m vaxis extract", "-m vaxis validate", "-m vaxis agree", "-m vaxis ablate", "-m vaxis steer", "-m analysis",
    "-m paper", "-m paper interventions", "-m paper cascade", "-m paper reproduce", "-m paper augmentations",
    "-m paper one_run", "-m paper report", "-m paper claims", "-m networks", "-m networks hours",
    "-m command_line.publish", "-m sweeps.search", "-m sweeps.show", "-m sweeps.spaces", "-m sweeps.slurm",
    "-m studies.nodes", "-m tracking.dashboard", "-m tracking.comparison",
)  # fmt: skip


def every_command() -> list[str]:
    """All commands, those of finished runs found by being there."""
    from analysis.base import commands as analyses

    return [*COMMANDS, *(f"-m analysis {name}" for name in analyses())]
