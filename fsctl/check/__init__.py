"""A doctor for a FreeSWITCH with fsctl: asks it, and says what is wrong, with what consequence, and
what to do. It writes nothing anywhere and ends in time, whatever FreeSWITCH does.

`examine` is all that others need; `fsctl check` prints its `Report`.
"""

from fsctl.check.examine import examine as examine
from fsctl.check.findings import Finding as Finding
from fsctl.check.findings import Report as Report
from fsctl.check.findings import State as State
from fsctl.check.ground import Wanted as Wanted
from fsctl.check.profiles import rescan_mark as rescan_mark
