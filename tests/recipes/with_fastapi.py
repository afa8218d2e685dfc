import os

from fastapi import FastAPI, Request, Response

from tiktok_hook import check
from tiktok_hook.events import parse

SECRET = os.environ["TIKTOK_CLIENT_SECRET"]
app = FastAPI()


@app.post("/webhook")
async def webhook(request: Request) -> Response:
    body = await request.body()  # the raw bytes: a Pydantic model would parse them first
    signature = request.headers.get("Tiktok-Signature")
    verdict = check(signature, body, SECRET, tolerance=300)
    if verdict.state != "valid":
        return Response(verdict.reason, status_code=403)
    if event := parse(body):
        print(event.name, event.content)  # hand it to a worker: the answer must not wait
    return Response(status_code=200)
