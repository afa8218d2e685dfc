"""Where a setting comes from, for `cli`: everything here takes plain arguments.

In this order: option, environment, `config.toml` or the file of ``--config``, the project's
`tiktok-hook.toml`, default. click reads options and environment; this package reads the files and
finds the client secrets.
"""

from tiktok_hook.settings.config_file import (
    ENVIRONMENT_PREFIX,
    defaults_for,
    parse_toml,
    read_config,
    variable,
)
from tiktok_hook.settings.env_file import AUTHTOKEN_VARIABLE, SECRET_VARIABLE
from tiktok_hook.settings.project_file import (
    ALLOWED_IN_PROJECT,
    ProjectFile,
    find_project_file,
)
from tiktok_hook.settings.secrets import (
    FoundSecrets,
    find_secrets,
    from_env_file,
    secret_from_file,
)

__all__ = [
    "ALLOWED_IN_PROJECT",
    "AUTHTOKEN_VARIABLE",
    "ENVIRONMENT_PREFIX",
    "SECRET_VARIABLE",
    "FoundSecrets",
    "ProjectFile",
    "defaults_for",
    "find_project_file",
    "find_secrets",
    "from_env_file",
    "parse_toml",
    "read_config",
    "secret_from_file",
    "variable",
]
