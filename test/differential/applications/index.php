<?php
// Notes what PHP saw of a request in a file of lines, everything in hexadecimal, and answers with nothing.
error_reporting(0);
$fields = [];
foreach ($_SERVER as $name => $value) {
    if (str_starts_with($name, 'HTTP_') && is_string($value)) {
        $fields[] = [bin2hex(substr($name, 5)), bin2hex($value)];
    }
}
$seen = [
    'method' => bin2hex($_SERVER['REQUEST_METHOD']),
    'target' => bin2hex($_SERVER['REQUEST_URI']),
    'fields' => $fields,
    'body' => bin2hex(file_get_contents('php://input')),
];
file_put_contents(getenv('SEEN'), json_encode($seen) . "\n", FILE_APPEND | LOCK_EX);
header('Content-Type: text/plain');
header('Content-Length: 4');
echo 'seen';
