#!/bin/sh
# Starts a sync and follows it to its end with curl alone, over REST.
# Usage: sh curl.sh [http://localhost:8000] [ORGANIZATION_ID]
set -eu
server=${1:-http://localhost:8000}
organization=${2:-org_2xwHiNrj68eaRUlX10anlXGvzX7}
api=$server/api/v1/sync

# Starting twice does no harm: the answer is the sync that runs already.
answer=$(curl --silent --show-error --fail --request POST "$api/start/$organization")
sync_id=$(printf '%s' "$answer" | sed -n 's/.*"sync_id": *"\([^"]*\)".*/\1/p')

# Reconnecting: each event has an id, which goes into Last-Event-ID; the server then sends what came after it. The sync's
# final state is the last event, so a stream that ends with anything else was cut: once more, from there.
last=0.0
events=$(mktemp)
trap 'rm -f "$events"' EXIT
until curl --silent --show-error --fail --no-buffer --header "Last-Event-ID: $last" "$api/stream/$sync_id" | tee "$events" |
    sed -u -n 's/^data: //p' && tail -n 5 "$events" | grep -q '"completed_at": *"'; do
    last=$(sed -n 's/^id: //p' "$events" | tail -n 1)
    last=${last:-0.0}
    sleep 3
done

curl --silent --show-error --fail "$api/dashboard/$organization"
echo
