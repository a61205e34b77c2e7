<?php

namespace App\Http\Controllers;

use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Routing\Controller;
use Symfony\Component\HttpFoundation\StreamedResponse;

/** Plain answers about the visitor's session, for people with curl and for checks. */
class SessionController extends Controller
{
    /** The visitor's number, one higher with every call. */
    public function increment(Request $request): Response
    {
        return $this->text((string) $this->next($request));
    }

    /** The visitor's number as it is; 0 for a visitor without one. */
    public function read(Request $request): Response
    {
        return $this->text((string) $request->session()->get('count', 0));
    }

    public function id(Request $request): Response
    {
        return $this->text($request->session()->getId());
    }

    /** A new id for the same session, the old one is deleted; ?user= names who logs in. */
    public function login(Request $request): Response
    {
        $request->session()->put('user', (string) $request->query('user', 'ada'));
        $request->session()->regenerate(true);

        return $this->text((string) $this->next($request));
    }

    public function logout(Request $request): Response
    {
        $request->session()->invalidate();

        return $this->text('bye');
    }

    /** A new id for the same session; Laravel leaves the old one behind. */
    public function regenerate(Request $request): Response
    {
        $request->session()->regenerate();

        return $this->text((string) $this->next($request));
    }

    /** Counts, then takes ?ms= milliseconds before it answers. */
    public function slow(Request $request): Response
    {
        $number = $this->next($request);
        usleep(1000 * min(60000, (int) $request->query('ms', '500')));

        return $this->text((string) $number);
    }

    /** Counts, and makes the session about ?kb= kilobytes large. */
    public function big(Request $request): Response
    {
        $bytes = 1024 * min(16384, max(0, (int) $request->query('kb', '64')));
        $request->session()->put('ballast', substr(bin2hex(random_bytes(intdiv($bytes, 2) + 1)), 0, $bytes));

        return $this->text((string) $this->next($request));
    }

    /**
     * ?n= lines, one every ?ms= milliseconds; the first one is the number. With ?chunked=1 the answer is chunked,
     * else it ends with the connection, which is how PHP's built-in server sends a stream.
     */
    public function stream(Request $request): StreamedResponse
    {
        $number = $this->next($request);
        $lines = min(1000, max(1, (int) $request->query('n', '5')));
        $pause = 1000 * min(5000, max(0, (int) $request->query('ms', '50')));
        $chunked = $request->boolean('chunked') && $request->server('SERVER_PROTOCOL') === 'HTTP/1.1';
        $headers = ['Content-Type' => 'text/plain'] + ($chunked ? ['Transfer-Encoding' => 'chunked'] : []);

        return new StreamedResponse(function () use ($number, $lines, $pause, $chunked): void {
            for ($line = 0; $line < $lines; $line++) {
                $text = ($line === 0 ? $number : "line $line")."\n";
                echo $chunked ? dechex(strlen($text))."\r\n$text\r\n" : $text;
                flush();
                usleep($pause);
            }
            echo $chunked ? "0\r\n\r\n" : '';
        }, 200, $headers);
    }

    /** Takes ?mb= megabytes of memory, whatever PHP's own limit is: a leak that the container's limit has to end. */
    public function memory(Request $request): Response
    {
        ini_set('memory_limit', '-1');
        $ballast = str_repeat('x', 1024 * 1024 * min(16384, max(0, (int) $request->query('mb', '1'))));

        return $this->text((string) strlen($ballast));
    }

    /** What the proxies before this application say of the client, the client first. */
    public function forwarded(Request $request): Response
    {
        return $this->text($request->header('X-Forwarded-For', 'nobody').' '.$request->header('X-Forwarded-Proto', ''));
    }

    /** Which process answers. */
    public function who(Request $request): Response
    {
        return $this->text(getmypid().' '.$request->server('SERVER_PORT'));
    }

    private function next(Request $request): int
    {
        $number = 1 + (int) $request->session()->get('count', 0);
        $request->session()->put('count', $number);

        return $number;
    }

    private function text(string $text): Response
    {
        return new Response($text, 200, ['Content-Type' => 'text/plain']);
    }
}
