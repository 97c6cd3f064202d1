"""``python -m ovmlv``, the same as the command ``ovmlv``."""

import sys

from ovmlv.cli import main

if __name__ == '__main__':
    sys.exit(main())
