"""Every row of the table, in its order."""

from tests.bench.rows.chain import CHAIN
from tests.bench.rows.commit import COMMIT
from tests.bench.rows.history import HISTORY
from tests.bench.rows.memory import AT_LENGTH
from tests.bench.rows.receive import RECEIVE
from tests.bench.rows.showing import SHOWING
from tests.bench.rows.starting import STARTING
from tests.bench.rows.tunnel import PATH

MEASUREMENTS = (RECEIVE, COMMIT, CHAIN, PATH, STARTING, SHOWING, HISTORY, AT_LENGTH)
ROWS = tuple(row for measurement in MEASUREMENTS for row in measurement.rows)
