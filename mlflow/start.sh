#!/bin/sh
# The MLflow server, lean: one worker, no jobs, no pickles.
#
#   mlflow/start.sh laptop [STORAGE]    look at the studies in STORAGE (default: runs), on this machine alone
#   mlflow/start.sh team                a server for several people, with passwords, behind a proxy with TLS
#
# For team, the environment says:
#   MATOPT_MLFLOW_HOST       the name that people use, such as mlflow.example.org (needed)
#   MATOPT_MLFLOW_FOLDER     where everything is kept (default: /var/lib/matopt-mlflow)
#   MATOPT_MLFLOW_DATABASE   the database (default: a SQLite file in that folder; or postgresql://...)
# For both: MATOPT_MLFLOW_PORT (default: 5000) and MLFLOW (the program; default: the one in .venv).
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
port=${MATOPT_MLFLOW_PORT:-5000}
mlflow=${MLFLOW:-$repository/.venv/bin/mlflow}
[ -x "$mlflow" ] || { echo "no mlflow at $mlflow: run 'make install', or set MLFLOW" >&2; exit 2; }

export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false    # 357 MB of memory in place of 1.4 GB
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false   # an unpickled model runs any code
export MLFLOW_DISABLE_TELEMETRY=true

case ${1:-} in
laptop)
    storage=$(cd "${2:-runs}" 2>/dev/null && pwd) || { echo "no folder ${2:-runs}: name the studies' storage" >&2; exit 2; }
    [ -f "$storage/mlflow.db" ] || { echo "no study has been tracked in $storage" >&2; exit 2; }
    cd "$storage" # so that no character of the folder's name comes into the address of the database
    # The runs name their artifacts' folder themselves; the server only reads it.
    exec "$mlflow" server --host 127.0.0.1 --port "$port" --workers 1 \
        --backend-store-uri sqlite:///mlflow.db --no-serve-artifacts
    ;;
team)
    host=${MATOPT_MLFLOW_HOST:?the name that people use for this server, such as mlflow.example.org}
    folder=${MATOPT_MLFLOW_FOLDER:-/var/lib/matopt-mlflow}
    umask 077 # nobody else on this machine reads the data or the passwords
    mkdir -p "$folder/artifacts"
    cd "$folder"
    random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
    [ -s secret ] || random >secret
    [ -s admin-password ] || random >admin-password
    cat >auth.ini <<END
[mlflow]
default_permission = READ
database_uri = sqlite:///$folder/auth.db
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
END
    MLFLOW_AUTH_CONFIG_PATH="$folder/auth.ini"
    MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat secret)
    MLFLOW_AUTH_ADMIN_PASSWORD=$(cat admin-password) # used when there is no admin yet
    export MLFLOW_AUTH_CONFIG_PATH MLFLOW_FLASK_SERVER_SECRET_KEY MLFLOW_AUTH_ADMIN_PASSWORD
    # On the loopback only: people come through the proxy, which has the certificate.
    exec "$mlflow" server --host 127.0.0.1 --port "$port" --workers 1 --app-name basic-auth \
        --backend-store-uri "${MATOPT_MLFLOW_DATABASE:-sqlite:///$folder/mlflow.db}" \
        --artifacts-destination "$folder/artifacts" \
        --allowed-hosts "$host,127.0.0.1:$port,localhost:$port" --cors-allowed-origins "https://$host" \
        --x-frame-options DENY
    ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
