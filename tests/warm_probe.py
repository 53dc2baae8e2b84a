"""What a fork of the warm process is asked by the tests: was everything imported before the fork?

The code of the launcher, too: whoever edits a file or updates the project while a study runs must not get runs that are
half of the one and half of the other.
"""

import sys

ALREADY = {"command_line.parser", "studies.warm", "studies.hosted", "train"} <= set(sys.modules)


def imported() -> bool:
    return ALREADY
