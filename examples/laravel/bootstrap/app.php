<?php

// Laravel from Debian's php-laravel-framework, or from Composer where there is a vendor directory, here or as
// $COMPOSER_VENDOR says.
$composer = (getenv('COMPOSER_VENDOR') ?: dirname(__DIR__).'/vendor').'/autoload.php';
$debian = '/usr/share/php/Illuminate/autoload.php';
if (! is_file($composer) && ! is_file($debian)) {
    http_response_code(500);
    fwrite(fopen('php://stderr', 'w'), "Laravel is missing: apt-get install php-laravel-framework\n");
    exit('Laravel is missing: apt-get install php-laravel-framework');
}
require is_file($composer) ? $composer : $debian;

spl_autoload_register(function (string $class): void {
    if (strncmp($class, 'App\\', 4) === 0) {
        $file = dirname(__DIR__).'/app/'.strtr(substr($class, 4), '\\', '/').'.php';
        if (is_file($file)) {
            require $file;
        }
    }
});

$app = new Illuminate\Foundation\Application(dirname(__DIR__));

// Storage may lie elsewhere: a read-only image mounts a volume there. Directories are made when they are needed.
$storage = getenv('LARAVEL_STORAGE_PATH') ?: dirname(__DIR__).'/storage';
foreach (['framework/sessions', 'framework/cache/data', 'framework/views', 'logs', 'bootstrap'] as $directory) {
    if (! is_dir("$storage/$directory")) {
        @mkdir("$storage/$directory", 0770, true);
    }
}
$app->useStoragePath($storage);

// Laravel 11 and later merge their own configuration files in; this application brings all it needs.
if (method_exists($app, 'dontMergeFrameworkConfiguration')) {
    $app->dontMergeFrameworkConfiguration();
}
foreach (['SERVICES', 'PACKAGES', 'CONFIG', 'ROUTES', 'EVENTS'] as $cache) {
    $_ENV["APP_{$cache}_CACHE"] = "$storage/bootstrap/".strtolower($cache).'.php';
}

$app->singleton(Illuminate\Contracts\Http\Kernel::class, App\Http\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, App\Exceptions\Handler::class);

$app->booted(function ($app): void {
    $app['router']->middleware('web')->group(dirname(__DIR__).'/routes/web.php');
});

return $app;
