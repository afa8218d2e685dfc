import os

from aiohttp import web

from tiktok_hook import check
from tiktok_hook.events import parse

SECRET = os.environ["TIKTOK_CLIENT_SECRET"]
routes = web.RouteTableDef()


@routes.post("/webhook")
async def webhook(request: web.Request) -> web.Response:
    body = await request.read()  # the raw bytes: whatever parses comes later
    signature = request.headers.get("Tiktok-Signature")
    verdict = check(signature, body, SECRET, tolerance=300)
    if verdict.state != "valid":
        return web.Response(status=403, text=verdict.reason)
    if event := parse(body):
        print(event.name, event.content)  # hand it to a worker: the answer must not wait
    return web.Response(status=200)


app = web.Application()
app.add_routes(routes)

if __name__ == "__main__":
    web.run_app(app, port=3000)
