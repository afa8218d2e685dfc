<?php

use App\Http\Controllers\TiktokWebhookController;
use Illuminate\Support\Facades\Route;

Route::post('/tiktok', TiktokWebhookController::class);
