<?php

// The whole site for PHP's built-in web server: php -S 127.0.0.1:8000 server.php
// What a web server does with public/index.php, in one file.

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;

$app = require __DIR__.'/bootstrap/app.php';

$kernel = $app->make(Kernel::class);
$request = Request::capture();
$response = $kernel->handle($request);
$response->send();
$kernel->terminate($request, $response);
