"""What a fork of the warm process is asked by the tests: was everything imported before the fork?"""

import sys

ALREADY = "command_line.parser" in sys.modules


def imported() -> bool:
    return ALREADY
