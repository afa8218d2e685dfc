"""Every row of the table, in its order."""

from tests.bench.rows.chain import CHAIN
from tests.bench.rows.commit import COMMIT
from tests.bench.rows.history import HISTORY
from tests.bench.rows.idle import IDLE
from tests.bench.rows.memory import AT_LENGTH
from tests.bench.rows.receive import RECEIVE
from tests.bench.rows.shared_attached import SHARED_ATTACHED
from tests.bench.rows.shared_following import SHARED_FOLLOWING
from tests.bench.rows.shared_history import SHARED_HISTORY
from tests.bench.rows.shared_restart import SHARED_RESTART
from tests.bench.rows.shared_storing import SHARED_STORING
from tests.bench.rows.showing import SHOWING
from tests.bench.rows.starting import STARTING
from tests.bench.rows.tunnel import PATH

PRODUCT = (RECEIVE, COMMIT, CHAIN, PATH, IDLE, STARTING, SHOWING, HISTORY, AT_LENGTH)
SHARED = (SHARED_STORING, SHARED_FOLLOWING, SHARED_ATTACHED, SHARED_RESTART, SHARED_HISTORY)
SECTIONS = {
    name: tuple(row for measurement in measurements for row in measurement.rows)
    for name, measurements in (("product", PRODUCT), ("postgres", SHARED))
}
MEASUREMENTS = (*PRODUCT, *SHARED)
ROWS = tuple(row for measurement in MEASUREMENTS for row in measurement.rows)
