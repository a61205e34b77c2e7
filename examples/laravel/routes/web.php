<?php

use App\Http\Controllers\SessionController;
use App\Http\Controllers\ShopController;
use Illuminate\Support\Facades\Route;

Route::get('/', [ShopController::class, 'show']);
Route::post('/cart', [ShopController::class, 'add']);
Route::post('/cart/empty', [ShopController::class, 'clear']);
Route::get('/redirect', [ShopController::class, 'redirect']);
Route::post('/upload', [ShopController::class, 'upload']);

Route::get('/inc', [SessionController::class, 'increment']);
Route::get('/get', [SessionController::class, 'read']);
Route::get('/id', [SessionController::class, 'id']);
Route::get('/login', [SessionController::class, 'login']);
Route::get('/logout', [SessionController::class, 'logout']);
Route::get('/regenerate', [SessionController::class, 'regenerate']);
Route::get('/slow', [SessionController::class, 'slow']);
Route::get('/big', [SessionController::class, 'big']);
Route::get('/stream', [SessionController::class, 'stream']);
Route::get('/memory', [SessionController::class, 'memory']);
Route::get('/forwarded', [SessionController::class, 'forwarded']);
Route::get('/who', [SessionController::class, 'who']);
