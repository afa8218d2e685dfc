<?php
// What PHP makes of a body that was parsed, printed or quoted before it was signed.
$body = file_get_contents('php://stdin');
$array = json_decode($body, true);
ob_start();
var_dump($array);
$dumped = ob_get_clean();
$decoded = ['content' => json_decode($array['content'], true)] + $array;
$sorted = $array;
ksort($sorted);
echo json_encode([
    'print_r' => print_r($array, true),
    'print_r of an object' => print_r((object) $array, true),
    'var_export' => var_export($array, true),
    'var_dump' => $dumped,
    'serialize' => serialize($array),
    'http_build_query' => http_build_query($array),
    'sorted http_build_query' => http_build_query($sorted),
    'RFC 3986' => http_build_query($array, '', '&', PHP_QUERY_RFC3986),
    'pretty' => json_encode($array, JSON_PRETTY_PRINT),
    'ksort' => json_encode($sorted),
    'content as an array' => json_encode(array_replace($array, ['content' => $decoded['content']])),
    'addslashes' => addslashes($body),
    'stripslashes' => stripslashes($body),
    'htmlspecialchars' => htmlspecialchars($body),
    'urlencode' => urlencode($body),
    'rawurlencode' => rawurlencode($body),
    'implode' => implode('.', $array),
    'json_encode of the text' => json_encode($body),
    'md5' => md5($body),
    'sha1' => sha1($body),
]);
