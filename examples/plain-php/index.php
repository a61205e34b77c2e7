<?php

// Plain PHP with PHP's own sessions: php -S 127.0.0.1:8000 index.php
// PHP writes the session's file when the script has ended, after the answer has gone out.

declare(strict_types=1);

const TEXT = 'Content-Type: text/plain; charset=utf-8';

function number(string $name, int $default, int $max): int
{
    return max(0, min($max, (int) ($_GET[$name] ?? $default)));
}

function next_number(): int
{
    return $_SESSION['count'] = 1 + ($_SESSION['count'] ?? 0);
}

/** The answer's length is known: a client has all of it before PHP has written the session. */
function answer(string $body, string $type = TEXT): void
{
    header($type);
    header('Content-Length: '.strlen($body));
    echo $body;
}

/** Takes its time when the session is written, which is after the answer has gone out. */
class SlowToSave
{
    public function __construct(private int $milliseconds)
    {
    }

    public function __serialize(): array
    {
        error_log('the answer has left, the session is being saved');
        usleep(1000 * $this->milliseconds);

        return [];
    }

    public function __unserialize(array $data): void
    {
        $this->milliseconds = 0;
    }
}

function redirect(string $to): void
{
    header("Location: $to", true, 302);
    answer('', TEXT);
}

function stream(int $first): void
{
    $lines = max(1, number('n', 5, 1000));
    $pause = 1000 * number('ms', 50, 5000);
    $chunked = isset($_GET['chunked']) && $_SERVER['SERVER_PROTOCOL'] === 'HTTP/1.1';
    header(TEXT);
    // Debian's php.ini makes PHP keep back 4 KB.
    while (ob_get_level() > 0) {
        ob_end_flush();
    }
    if ($chunked) {
        header('Transfer-Encoding: chunked');
    }
    for ($line = 0; $line < $lines; $line++) {
        $text = ($line === 0 ? $first : "line $line")."\n";
        echo $chunked ? dechex(strlen($text))."\r\n$text\r\n" : $text;
        flush();
        usleep($pause);
    }
    echo $chunked ? "0\r\n\r\n" : '';
}

function page(): string
{
    $_SESSION['visits'] = 1 + ($_SESSION['visits'] ?? 0);
    $visits = $_SESSION['visits'];
    $cart = $_SESSION['cart'] ?? 0;

    return <<<HTML
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Plain PHP</title>
        <style>body { font: 17px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem }</style>
        <h1>Plain PHP</h1>
        <p>Visits: <strong id="visits">$visits</strong></p>
        <form method="post" action="/cart"><p>In the cart: <output id="cart">$cart</output> <button>Add one</button></p></form>
        HTML;
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/late-start') {
    // Work first, and the session when it is needed.
    usleep(1000 * number('ms', 200, 60000));
}
session_start($path === '/peek' ? ['read_and_close' => true] : []);
switch ($path) {
    case '/':
        answer(page(), 'Content-Type: text/html; charset=utf-8');
        break;
    case '/cart':
        $_SESSION['cart'] = 1 + ($_SESSION['cart'] ?? 0);
        redirect('/');
        break;
    case '/inc':
    case '/late-start':
        answer((string) next_number());
        break;
    case '/peek':
    case '/get':
        answer((string) ($_SESSION['count'] ?? 0));
        break;
    case '/id':
        answer(session_id());
        break;
    case '/login':
        $_SESSION['user'] = (string) ($_GET['user'] ?? 'ada');
        session_regenerate_id(true);
        answer((string) next_number());
        break;
    case '/regenerate':
        session_regenerate_id(false);
        answer((string) next_number());
        break;
    case '/logout':
        // As the manual says: empty the array, end the cookie, destroy the file.
        $_SESSION = [];
        $cookie = session_get_cookie_params();
        setcookie(session_name(), '', time() - 42000, $cookie['path'], $cookie['domain'], $cookie['secure'], $cookie['httponly']);
        session_destroy();
        answer('bye');
        break;
    case '/redirect':
        next_number();
        redirect('/get');
        break;
    case '/slow':
        $number = next_number();
        usleep(1000 * number('ms', 500, 60000));
        answer((string) $number);
        break;
    case '/big':
        $bytes = 1024 * number('kb', 64, 16384);
        $_SESSION['ballast'] = substr(bin2hex(random_bytes(intdiv($bytes, 2) + 1)), 0, $bytes);
        answer((string) next_number());
        break;
    case '/late':
        $_SESSION['late'] = new SlowToSave(number('ms', 500, 60000));
        answer((string) next_number());
        break;
    case '/finish':
        // The client has its answer, the session is still open: what comes now is saved when the script ends.
        answer((string) next_number());
        if (function_exists('fastcgi_finish_request')) {
            fastcgi_finish_request();
        }
        usleep(1000 * number('ms', 300, 60000));
        $_SESSION['finished'] = 1 + ($_SESSION['finished'] ?? 0);
        break;
    case '/finished':
        answer((string) ($_SESSION['finished'] ?? 0));
        break;
    case '/stream':
        stream(next_number());
        break;
    case '/upload':
        $_SESSION['uploads'] = 1 + ($_SESSION['uploads'] ?? 0);
        $body = file_get_contents('php://input');
        answer(strlen($body).' '.hash('sha256', $body));
        break;
    case '/who':
        answer(getmypid().' '.$_SERVER['SERVER_PORT']);
        break;
    default:
        http_response_code(404);
        answer('Not found');
}
