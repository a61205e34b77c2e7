<?php

namespace App\Controllers;

use CodeIgniter\HTTP\ResponseInterface;

/** Plain answers about the visitor's session, with CodeIgniter's own file handler. */
class Visits extends BaseController
{
    /** The visitor's number, one higher with every call. */
    public function inc(): ResponseInterface
    {
        return $this->text((string) $this->next());
    }

    /** The visitor's number as it is. */
    public function get(): ResponseInterface
    {
        return $this->text((string) (session()->get('count') ?? 0));
    }

    public function id(): ResponseInterface
    {
        session();

        return $this->text(session_id());
    }

    /** A new id for the same session, the old one is destroyed. */
    public function login(): ResponseInterface
    {
        session()->regenerate(true);

        return $this->inc();
    }

    /** A new id for the same session; CodeIgniter leaves the old one, and does this by itself every 5 minutes. */
    public function regenerate(): ResponseInterface
    {
        session()->regenerate();

        return $this->inc();
    }

    public function logout(): ResponseInterface
    {
        session()->destroy();

        return $this->text('bye');
    }

    /** Which process answers. */
    public function who(): ResponseInterface
    {
        return $this->text(getmypid() . ' ' . $this->request->getServer('SERVER_PORT'));
    }

    private function next(): int
    {
        $number = 1 + (session()->get('count') ?? 0);
        session()->set('count', $number);

        return $number;
    }

    private function text(string $text): ResponseInterface
    {
        return $this->response->setContentType('text/plain')->setBody($text);
    }
}
