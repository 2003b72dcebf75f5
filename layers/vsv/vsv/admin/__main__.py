"""``python -m vsv.admin``."""

import sys

from vsv.admin import main

sys.exit(main())
