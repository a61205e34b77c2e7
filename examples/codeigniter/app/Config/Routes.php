<?php

// Laid over the application that CodeIgniter brings along: see the README beside.

/** @var CodeIgniter\Router\RouteCollection $routes */
foreach (['inc', 'get', 'id', 'login', 'regenerate', 'logout', 'who'] as $name) {
    $routes->get($name, "Visits::$name");
}
