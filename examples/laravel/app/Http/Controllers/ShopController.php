<?php

namespace App\Http\Controllers;

use Illuminate\Http\RedirectResponse;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Routing\Controller;

/** A small shop whose cart lives in the session. */
class ShopController extends Controller
{
    private const PRODUCTS = ['espresso' => 'Espresso beans', 'filter' => 'Filter roast', 'mug' => 'Enamel mug'];

    public function show(Request $request): Response
    {
        $visits = 1 + (int) $request->session()->get('visits', 0);
        $request->session()->put('visits', $visits);

        return new Response(view('shop', [
            'visits' => $visits,
            'user' => $request->session()->get('user'),
            'cart' => $request->session()->get('cart', []),
            'products' => self::PRODUCTS,
            'notice' => $request->session()->get('notice'),
            'server' => gethostname().', process '.getmypid(),
            'session' => substr($request->session()->getId(), 0, 8),
        ])->render());
    }

    public function add(Request $request): RedirectResponse
    {
        $product = (string) $request->input('product');
        abort_unless(isset(self::PRODUCTS[$product]), 404);
        $cart = $request->session()->get('cart', []);
        $cart[$product] = 1 + ($cart[$product] ?? 0);
        $request->session()->put('cart', $cart);

        return redirect('/')->with('notice', self::PRODUCTS[$product].' is in your cart.');
    }

    public function clear(Request $request): RedirectResponse
    {
        $request->session()->forget('cart');

        return redirect('/')->with('notice', 'Your cart is empty.');
    }

    /** Counts, then sends the browser to the number. */
    public function redirect(Request $request): RedirectResponse
    {
        $request->session()->put('count', 1 + (int) $request->session()->get('count', 0));

        return redirect('/get');
    }

    /** How many bytes came and their SHA-256; the number of uploads stays in the session. */
    public function upload(Request $request): Response
    {
        $request->session()->put('uploads', 1 + (int) $request->session()->get('uploads', 0));
        $body = $request->getContent();

        return new Response(strlen($body).' '.hash('sha256', $body), 200, ['Content-Type' => 'text/plain']);
    }
}
