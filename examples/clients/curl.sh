#!/bin/sh
# Starts a sync and follows it to its end with curl alone, over REST.
# Usage: sh curl.sh [http://localhost:8000] [ORGANIZATION_ID]
set -eu
server=${1:-http://localhost:8000}
organization=${2:-org_2xwHiNrj68eaRUlX10anlXGvzX7}
api=$server/api/v1/sync

# The header with a fresh token, for each request; nothing where the server asks for none. Yours comes from where people
# sign in, this one from `routiq-gql demo --auth`. By --header @- nobody else sees it in the list of processes.
authorization() {
    test -z "${ROUTIQ_TOKEN_URL:-}" || curl --silent --show-error --fail --request POST "$ROUTIQ_TOKEN_URL" |
        sed 's/.*"token": *"\([^"]*\)".*/Authorization: Bearer \1/'
}

# Starting twice does no harm: the answer is the sync that runs already.
answer=$(authorization | curl --silent --show-error --fail --header @- --request POST "$api/start/$organization")
sync_id=$(printf '%s' "$answer" | sed -n 's/.*"sync_id": *"\([^"]*\)".*/\1/p')

# Reconnecting: each event has an id, which goes into Last-Event-ID; the server then sends what came after it. The sync's
# final state is the last event, so a stream that ends with anything else was cut, or has ended some minutes after its
# token: once more, from there.
last=0.0
events=$(mktemp)
trap 'rm -f "$events"' EXIT
until authorization | curl --silent --show-error --fail --no-buffer --header @- --header "Last-Event-ID: $last" \
    "$api/stream/$sync_id" | tee "$events" | sed -u -n 's/^data: //p' && tail -n 5 "$events" | grep -q '"completed_at": *"'; do
    last=$(sed -n 's/^id: //p' "$events" | tail -n 1)
    last=${last:-0.0}
    sleep 3
done

authorization | curl --silent --show-error --fail --header @- "$api/dashboard/$organization"
echo
