"""Random deliveries and attempts, as an import of them gives them back."""

from hypothesis import strategies as st

from tests import fuzzing
from tests.store.samples import TARGET
from tiktok_hook.delivery import Attempt, Delivery, Source
from tiktok_hook.signature import State, Verdict

latin_1 = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0"), max_size=12)
words = st.text(max_size=12)
seconds = st.integers(0, 4_000_000_000_000_000).map(lambda micros: micros / 1_000_000)
names = st.from_regex("[A-Za-z-]{1,10}", fullmatch=True)
headers = st.lists(st.tuples(names, latin_1), max_size=4).map(tuple)
bodies = fuzzing.events | st.binary(max_size=60)
thousandths = st.integers(-(10**9), 10**9).map(lambda number: number / 1000)
# What a request line may hold: bytes beyond ASCII come as UTF-8, or as what stands for one byte.
targets = st.text(
    st.characters(exclude_characters="".join(map(chr, range(33))) + "\x7f?#"), max_size=10
)
deliveries = st.builds(
    Delivery,
    received_at=seconds,
    source=st.just(Source.IMPORT),
    remote_addr=words,
    method=st.sampled_from(["POST", "PUT"]),
    path=targets.map("/".__add__),
    query=targets,
    http_version=st.sampled_from(["1.0", "1.1"]),
    headers=headers,
    body=bodies,
    verdict=st.builds(
        Verdict,
        st.sampled_from(State),
        words,
        words,
        st.none() | thousandths,
        st.none() | st.integers(1, 9),
    ),
    status=st.none() | st.integers(100, 999),
    imported_id=st.just(7),
)
attempts = st.builds(
    Attempt,
    delivery_id=st.just(7),
    number=st.just(0),
    started_at=seconds,
    target=targets.map(TARGET.__add__),
    replay=st.booleans(),
    resigned=st.booleans(),
    request_method=st.sampled_from(["POST", "GET"]),
    request_headers=headers,
    request_body=st.none() | st.binary(max_size=20),
    status=st.none() | st.integers(100, 999),
    headers=headers,
    body=st.binary(max_size=20),
    truncated=st.booleans(),
    duration_ms=st.none() | thousandths.map(abs),
    error=st.none() | words.filter(bool),
    hint=words,
)
