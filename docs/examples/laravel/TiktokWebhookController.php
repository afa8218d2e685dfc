<?php

namespace App\Http\Controllers;

use App\Jobs\ProcessTiktokEvent;
use App\Tiktok;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Support\Facades\DB;

final class TiktokWebhookController
{
    public function __invoke(Request $request): Response
    {
        $secret = config('services.tiktok.client_secret') ?: throw new \LogicException('TIKTOK_CLIENT_SECRET is not set.');
        $body = $request->getContent(); // the raw bytes: not $request->all()
        $reason = Tiktok::problem($request->header('Tiktok-Signature'), $body, $secret);
        if ($reason !== null) {
            return new Response($reason, 403);
        }
        $key = Tiktok::eventKey($body);
        // One transaction: an event is stored and queued, or neither, and then TikTok sends it again.
        DB::transaction(function () use ($key, $body) {
            if (DB::table('tiktok_events')->insertOrIgnore(['id' => $key, 'body' => $body]) > 0) {
                ProcessTiktokEvent::dispatch($key); // the answer must not wait for the work
            }
        });
        return new Response('', 200); // a repetition is answered 200, too
    }
}
