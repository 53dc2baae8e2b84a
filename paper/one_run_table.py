"""The table of one run against ten."""


def tabulate(cohorts, asked, *, seeds, fewer, folder, command) -> str:
    """Not yet."""
    return "table: to come"
