import os

from flask import Flask, Response, request

from tiktok_hook import check
from tiktok_hook.events import parse

SECRET = os.environ["TIKTOK_CLIENT_SECRET"]
app = Flask(__name__)


@app.post("/webhook")
def webhook() -> Response:
    body = request.get_data()  # the raw bytes: request.json would parse them
    signature = request.headers.get("Tiktok-Signature")
    verdict = check(signature, body, SECRET, tolerance=300)
    if verdict.state != "valid":
        return Response(verdict.reason, status=403)
    if event := parse(body):
        print(event.name, event.content)  # hand it to a worker: the answer must not wait
    return Response(status=200)
