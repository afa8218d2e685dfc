import os

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tiktok_hook import check
from tiktok_hook.events import parse

SECRET = os.environ["TIKTOK_CLIENT_SECRET"]


@csrf_exempt  # TikTok has no CSRF token; the signature stands in its place
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    body = request.body  # the raw bytes
    signature = request.headers.get("Tiktok-Signature")
    verdict = check(signature, body, SECRET, tolerance=300)
    if verdict.state != "valid":
        return HttpResponse(verdict.reason, status=403)
    if event := parse(body):
        print(event.name, event.content)  # hand it to a worker: the answer must not wait
    return HttpResponse(status=200)


urlpatterns = [path("webhook", webhook)]
