<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    public function up(): void
    {
        Schema::create('tiktok_events', function (Blueprint $table) {
            $table->char('id', 64)->primary(); // a second event of the same key is ignored
            $table->longText('body');
            $table->timestamp('received_at')->useCurrent();
        });
    }
};
