<?php

namespace App;

final class Tiktok
{
    private const TOLERANCE_SECONDS = 300;

    /** Why a request is rejected, or null if TikTok signed exactly these bytes in the last 5 minutes. */
    public static function problem(?string $header, string $body, string $secret, ?int $now = null): ?string
    {
        $values = ['t' => [], 's' => []];
        foreach (explode(',', $header ?? '') as $part) {
            [$name, $value] = explode('=', trim($part), 2) + ['', ''];
            $values[$name][] = $value;
        }
        $time = $values['t'][0] ?? '';
        if (count($values['t']) !== 1 || !preg_match('/^[0-9]{1,12}$/D', $time)) {
            return 'no timestamp';
        }
        $expected = hash_hmac('sha256', "$time.$body", $secret);
        $matches = false;
        foreach (array_slice($values['s'], 0, 5) as $signature) {
            $matches = hash_equals($expected, strtolower($signature)) || $matches;
        }
        if (!$matches) {
            return 'the signature does not match';
        }
        return abs(($now ?? time()) - (int) $time) > self::TOLERANCE_SECONDS ? 'the signature is too old' : null;
    }

    /** The same key for every repetition of an event: TikTok sends no event id. */
    public static function eventKey(string $body): string
    {
        $event = json_decode($body, true, 512, JSON_BIGINT_AS_STRING);
        if (!is_string($event['content'] ?? null)) {
            return hash('sha256', $body);
        }
        // The spacing of content may differ: remove blanks outside of strings.
        $content = preg_replace('/("[^"\\\\]*+(?:\\\\.[^"\\\\]*+)*+")|\s++/s', '$1', $event['content']);
        $names = ['client_key', 'event', 'create_time', 'user_openid'];
        $identity = [...array_map(fn ($name) => $event[$name] ?? null, $names), $content];
        return hash('sha256', json_encode($identity, JSON_THROW_ON_ERROR));
    }
}
