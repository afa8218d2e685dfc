<?php

require __DIR__ . '/Tiktok.php';

use App\Tiktok;

/**
 * Keep an event on disk for a worker; a repetition is there already. With a database, this is
 * INSERT … ON CONFLICT DO NOTHING into a table whose primary key is the event's key.
 */
function store(string $key, string $body): bool
{
    $folder = getenv('TIKTOK_INBOX') ?: __DIR__ . '/inbox';
    is_dir($folder) || @mkdir($folder, 0700, true);
    $written = "$folder/" . bin2hex(random_bytes(16)) . '.part';
    $whole = @file_put_contents($written, $body) === strlen($body);
    $stored = $whole && (@link($written, "$folder/$key.json") || is_file("$folder/$key.json"));
    @unlink($written);
    return $stored;
}

$secret = getenv('TIKTOK_CLIENT_SECRET');
if (!$secret) {
    http_response_code(500); // nothing is accepted without it
    exit('TIKTOK_CLIENT_SECRET is not set.');
}
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    header('Allow: POST');
    http_response_code(405);
    exit;
}
$body = file_get_contents('php://input'); // the raw bytes: json_decode comes later
$reason = Tiktok::problem($_SERVER['HTTP_TIKTOK_SIGNATURE'] ?? null, $body, $secret);
if ($reason !== null) {
    http_response_code(403);
    exit($reason);
}
// A worker reads it: the answer must not wait for the work. A repetition is answered 200, too; what
// cannot be stored is answered 500, so TikTok sends it again.
http_response_code(store(Tiktok::eventKey($body), $body) ? 200 : 500);
