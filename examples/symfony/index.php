<?php

// A Symfony application in one file, with the framework's own sessions in files:
// SESSIONS=/tmp/sessions php -S 127.0.0.1:8000 index.php

declare(strict_types=1);

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

// Symfony from Debian's packages, or from Composer where $COMPOSER_VENDOR names its vendor directory.
$vendor = getenv('COMPOSER_VENDOR');
$autoload = $vendor ? "$vendor/autoload.php" : '/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php';
if (! is_file($autoload)) {
    http_response_code(500);
    fwrite(fopen('php://stderr', 'w'), "Symfony is missing: apt-get install php-symfony-framework-bundle\n");
    exit('Symfony is missing: apt-get install php-symfony-framework-bundle');
}
require $autoload;

class Kernel extends BaseKernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        yield new FrameworkBundle();
    }

    public function getProjectDir(): string
    {
        return __DIR__;
    }

    public function getCacheDir(): string
    {
        return (getenv('CACHE') ?: sys_get_temp_dir()).'/symfony-cache';
    }

    public function getLogDir(): string
    {
        return $this->getCacheDir();
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', [
            'secret' => 'an example secret, open to all',
            'test' => false,
            'http_method_override' => false,
            'session' => [
                'enabled' => true,
                'storage_factory_id' => 'session.storage.factory.native',
                'handler_id' => 'session.handler.native_file',
                'save_path' => getenv('SESSIONS') ?: sys_get_temp_dir().'/sessions',
                'cookie_samesite' => 'lax',
            ],
        ]);
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        foreach (['inc', 'get', 'id', 'login', 'regenerate', 'logout', 'big', 'who'] as $name) {
            $routes->add($name, "/$name")->controller([$this, $name]);
        }
    }

    /** The visitor's number, one higher with every call. */
    public function inc(Request $request): Response
    {
        return $this->text((string) $this->next($request));
    }

    /** The visitor's number as it is. */
    public function get(Request $request): Response
    {
        return $this->text((string) $request->getSession()->get('count', 0));
    }

    public function id(Request $request): Response
    {
        $request->getSession()->start();

        return $this->text($request->getSession()->getId());
    }

    /** As the security component does it: a new id for the same session, the old one is destroyed. */
    public function login(Request $request): Response
    {
        // The component has read the session by then; Symfony gives a session that is not started no new id.
        $request->getSession()->start();
        $request->getSession()->migrate(true);

        return $this->text((string) $this->next($request));
    }

    /** A new id for the same session; the old one stays. */
    public function regenerate(Request $request): Response
    {
        $request->getSession()->start();
        $request->getSession()->migrate();

        return $this->text((string) $this->next($request));
    }

    public function logout(Request $request): Response
    {
        $request->getSession()->start();
        $request->getSession()->invalidate();

        return $this->text('bye');
    }

    /** Counts, and makes the session about ?kb= kilobytes large. */
    public function big(Request $request): Response
    {
        $bytes = 1024 * min(16384, max(0, (int) $request->query->get('kb', '64')));
        $request->getSession()->set('ballast', substr(bin2hex(random_bytes(intdiv($bytes, 2) + 1)), 0, $bytes));

        return $this->inc($request);
    }

    /** Which process answers. */
    public function who(Request $request): Response
    {
        return $this->text(getmypid().' '.$request->server->get('SERVER_PORT'));
    }

    private function next(Request $request): int
    {
        $number = 1 + (int) $request->getSession()->get('count', 0);
        $request->getSession()->set('count', $number);

        return $number;
    }

    private function text(string $text): Response
    {
        return new Response($text, 200, ['Content-Type' => 'text/plain']);
    }
}

$kernel = new Kernel('prod', false);
$request = Request::createFromGlobals();
$response = $kernel->handle($request);
$response->send();
$kernel->terminate($request, $response);
