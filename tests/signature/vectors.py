"""Bodies with their signatures, computed by two independent programs, and headers of any kind."""

import hashlib
import hmac

from hypothesis import strategies as st

SECRET = "tiktok-client-secret"
T = 1756684801
BODY = (
    b'{"client_key":"awexampleclient1","event":"post.publish.publicly_available",'
    b'"create_time":1756684800,"user_openid":"-000ExampleOpenIdExampleOpenIdExampl",'
    b'"content":"{\\"publish_id\\":\\"v_pub_file~v2-1.7545200000000000001\\",'
    b'\\"publish_type\\":\\"DIRECT_PUBLISH\\",\\"post_id\\":\\"7545201234567890123\\"}"}'
)
REMOVED = (
    b'{"client_key":"awexampleclient1","event":"authorization.removed","create_time":1615338610,'
    b'"user_openid":"act.example12345Example12345Example","content":"{\\"reason\\": 1 }"}'
)
PING = (
    b'{"client_key":"awexampleclient1","event":"tiktok.ping","create_time":1756684800123,'
    b'"user_openid":"7528000000000000000","content":"{\\"reason\\":\\"testing Webhook\\"}"}'
)
UNICODE = (
    '{"client_key":"awexampleclient1","event":"example.unicode","create_time":1756684800,'
    '"user_openid":"-000Example","content":"{\\"note\\":\\"café ✓\\"}"}'
).encode()
HEX = "267c1900434b1543d98926e2edf4557e82598074464ec99964895ba6d45c5123"
RIGHT = f"t={T},s={HEX}"


def mac(message: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


PIECES = ["t=", "s=", ",", str(T), HEX, HEX.upper(), " ", "\t", "=", "é", "1e9", "-", "\x00", ";"]
headers = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=20).map("".join), st.none()
)
