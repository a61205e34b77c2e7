<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ config('app.name') }}</title>
<style>
  :root { color-scheme: light dark; --ink: #2b2320; --paper: #faf6f0; --line: #ddd0c0; --accent: #8a4b22; }
  @media (prefers-color-scheme: dark) { :root { --ink: #f0e8df; --paper: #1e1916; --line: #4a3d33; --accent: #e0a070; } }
  body { font: 17px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { margin: 0; font-size: 1.8rem; }
  ul { list-style: none; padding: 0; border-top: 1px solid var(--line); }
  li { display: flex; align-items: center; gap: 1rem; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  li span { flex: 1; }
  form { display: inline; }
  button { font: inherit; padding: .25rem .8rem; color: var(--accent); background: none; border: 1px solid var(--accent); border-radius: .4rem; cursor: pointer; }
  button:hover, button:focus-visible { color: var(--paper); background: var(--accent); }
  .notice { padding: .5rem .8rem; border-left: 3px solid var(--accent); }
  footer { margin-top: 2rem; font-size: .8rem; opacity: .75; }
</style>
</head>
<body>
<h1>{{ config('app.name') }}</h1>
<p>{{ $user === null ? 'Welcome.' : "Welcome, $user." }} You were here <strong id="visits">{{ $visits }}</strong> {{ $visits === 1 ? 'time' : 'times' }}.</p>
@if ($notice !== null)
<p class="notice" role="status">{{ $notice }}</p>
@endif
<ul>
@foreach ($products as $key => $name)
  <li>
    <span>{{ $name }}</span>
    <output id="cart-{{ $key }}">{{ $cart[$key] ?? 0 }}</output>
    <form method="post" action="/cart">@csrf<button name="product" value="{{ $key }}" aria-label="Add {{ $name }}">Add</button></form>
  </li>
@endforeach
</ul>
<form method="post" action="/cart/empty">@csrf<button>Empty the cart</button></form>
<footer>Served by {{ $server }}. Session {{ $session }}&hellip;</footer>
</body>
</html>
