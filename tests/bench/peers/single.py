"""The product's command, each delivery with a commit of its own: ``python single.py listen …``."""

from tiktok_hook.cli import main
from tiktok_hook.store import writer

if __name__ == "__main__":
    writer.BATCH_ROWS = 1
    main()
