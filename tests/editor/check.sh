#!/bin/sh
# Runs check.mjs against yaml-language-server from npm, in a scratch folder that is kept for the next time.
set -eu
version=1.23.0
here=$(cd "$(dirname "$0")" && pwd)
scratch=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/yaml-language-server-$version
if [ ! -d "$scratch/node_modules/yaml-language-server" ]; then
    mkdir -p "$scratch"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$scratch" "yaml-language-server@$version"
fi
SERVER="$scratch/node_modules/yaml-language-server/bin/yaml-language-server" node "$here/check.mjs" "$here/../.."
