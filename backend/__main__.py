"""`python -m pose2pose.backend` is the command `pose2pose`."""

import sys

from .cli import main

sys.exit(main())
