"""Whether this host allows strict confinement, and what to do about a test where it does not."""

import pytest

from caplab.kernel.confine import probe
from caplab.kernel.confine.level import Impossible, choose

try:
    choose("strict", probe.probe(), probe.signs())
    why = ""
except Impossible as error:
    why = str(error)

needed = pytest.mark.skipif(bool(why), reason=why)
