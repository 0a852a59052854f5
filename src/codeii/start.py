"""Where the command `codeii` begins: the one answer that needs no command line read, then all the others.

A second `codeii verify` of an unchanged tree is answered from its receipt, before anything is imported that takes
longer than that answer.
"""

import sys

from codeii.checks.receipt import answer


def main() -> int:
    """Run the command line."""
    words = sys.argv[1:]
    if words[:1] == ["verify"]:
        said = answer(words)
        if said is not None:
            print(said)
            return 0
    from codeii.__main__ import main

    return main(words)
