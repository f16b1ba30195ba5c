"""``python -m landline``: the same as the ``landline`` program."""

import sys

from landline.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
