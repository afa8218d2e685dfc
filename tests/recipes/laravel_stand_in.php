<?php
// The classes of Laravel that the recipe's controller uses, each as small as it can be: Laravel is
// not installed here. It shows that the controller runs, not that Laravel behaves like this.

namespace Illuminate\Http {
    final class Request
    {
        public function getContent(): string
        {
            return file_get_contents('php://input');
        }

        public function header(string $name): ?string
        {
            return $_SERVER['HTTP_' . strtoupper(strtr($name, '-', '_'))] ?? null;
        }
    }

    final class Response
    {
        public function __construct(public string $content, public int $status)
        {
        }
    }
}

namespace Illuminate\Support\Facades {
    final class DB
    {
        public static function transaction(callable $work): void
        {
            $work();
        }

        public static function table(string $name): object
        {
            return new class {
                public function insertOrIgnore(array $row): int
                {
                    $folder = getenv('TIKTOK_INBOX');
                    is_dir($folder) || mkdir($folder);
                    $file = @fopen("$folder/{$row['id']}.json", 'x');
                    return $file === false ? 0 : (int) (fwrite($file, $row['body']) > 0);
                }
            };
        }
    }

    final class Route
    {
        public static array $post = [];

        public static function post(string $path, string $action): void
        {
            self::$post["/api$path"] = new $action();
        }
    }
}

namespace App\Jobs {
    final class ProcessTiktokEvent
    {
        public static function dispatch(string $key): void
        {
            strlen($key) === 64 || throw new \LogicException('The key of an event is a SHA-256.');
        }
    }
}

namespace {
    use Illuminate\Support\Facades\Route;

    set_error_handler(fn ($level, $text) => error_reporting() & $level ? throw new ErrorException($text) : true);

    function config(string $name): ?string
    {
        return $name === 'services.tiktok.client_secret' ? (getenv('TIKTOK_CLIENT_SECRET') ?: null) : null;
    }

    try {
        require __DIR__ . '/Tiktok.php';
        require __DIR__ . '/TiktokWebhookController.php';
        require __DIR__ . '/api.php';
        $action = Route::$post[$_SERVER['REQUEST_URI']] ?? null;
        $post = $_SERVER['REQUEST_METHOD'] === 'POST';
        $response = $post && $action ? $action(new Illuminate\Http\Request()) : null;
        http_response_code($response->status ?? ($action ? 405 : 404));
        echo $response->content ?? '';
    } catch (Throwable $error) {
        http_response_code(500);
        file_put_contents('php://stderr', "$error\n");
    }
}
