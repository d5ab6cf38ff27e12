#!/usr/bin/env bash
# Shows a node with three Python actors, kills it with SIGKILL, and shows that nothing is lost.
#
#   scripts/demo.sh BINARY GUESTS
#
# BINARY is plexspaces, GUESTS the folder with the built actors; `make demo` makes both. The node takes a free port and
# a temporary data folder, so the demo disturbs nothing. It exits with 1 if any answer is not the expected one.
set -euo pipefail
cd "$(dirname "$0")/.."

BINARY=${1:-target/release/plexspaces}
GUESTS=${2:-target/guests}
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/plexspaces-demo.XXXXXX")
NODE_PID=
NODE=

say() { printf '\n== %s\n' "$*"; }
die() {
  echo "demo: $*" >&2
  if [ -s "$FOLDER/log" ]; then
    echo "demo: the end of the node's log:" >&2
    tail -n 20 "$FOLDER/log" >&2
  fi
  exit 1
}

cleanup() {
  if [ -n "$NODE_PID" ]; then
    kill -KILL "$NODE_PID" 2>/dev/null || true
    wait "$NODE_PID" 2>/dev/null || true
  fi
  rm -rf "$FOLDER"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

[ -x "$BINARY" ] || die "$BINARY is missing: run \`make build\`"

start_node() {
  : > "$FOLDER/out"
  "$BINARY" start --data-dir "$FOLDER/data" --http-addr 127.0.0.1:0 > "$FOLDER/out" 2>> "$FOLDER/log" &
  NODE_PID=$!
  NODE=
  for _ in $(seq 300); do
    NODE=$(sed -n 's|.*listening on http://\([0-9.:]*\).*|\1|p' "$FOLDER/out" | head -n 1)
    [ -z "$NODE" ] || break
    kill -0 "$NODE_PID" 2>/dev/null || die "the node ended at once"
    sleep 0.1
  done
  [ -n "$NODE" ] || die "the node did not say where it listens within 30 s"
  echo "node $NODE_PID listens on http://$NODE"
}

deploy() { # application id, name, file
  echo "\$ plexspaces deploy --app-id $1 --name $2 --version 1.0.0 --wasm $3"
  "$BINARY" deploy --node "$NODE" --app-id "$1" --name "$2" --version 1.0.0 --wasm "$3"
}

# Asks an actor, shows request and reply, and leaves the reply in REPLY.
ask() { # actor, payload, more flags...
  local actor=$1 payload=$2
  shift 2
  echo "\$ plexspaces invoke $actor '$payload'${*:+ $*}"
  REPLY=$("$BINARY" invoke "$actor" "$payload" --node "$NODE" "$@") || die "no reply"
  echo "  $REPLY"
}

# The reply must be this, to the byte.
expect() {
  [ "$REPLY" = "$1" ] || die "expected: $1"
}

say "1. A node with an empty store"
start_node

say "2. Three applications, each one Python file"
deploy calculator-app calculator "$GUESTS/calculator.wasm"
deploy durable-calculator-app durable-calculator "$GUESTS/durable_calculator.wasm"
deploy tuplespace-calculator-app tuplespace-calculator "$GUESTS/tuplespace_calculator.wasm"

say "3. A calculator answers; what cannot be computed is an answer too"
ask calculator '{"operation": "add", "operands": [10, 5]}'
expect '{"result": 15, "operation": "add"}'
ask calculator '{"operation": "divide", "operands": [1, 0]}'
expect '{"error": "Division by zero"}'

say "4. A durable calculator counts and remembers"
ask durable-calculator '{"operation": "add", "operands": [10, 5]}'
expect '{"result": 15, "operation": "add", "operation_count": 1, "durable": true}'
ask durable-calculator '{"operation": "multiply", "operands": [6, 7]}'
expect '{"result": 42, "operation": "multiply", "operation_count": 2, "durable": true}'

say "5. A repeated request with the same idempotency key takes effect once"
ask durable-calculator '{"operation": "subtract", "operands": [50, 8]}' --idempotency-key demo-1
expect '{"result": 42, "operation": "subtract", "operation_count": 3, "durable": true}'
ask durable-calculator '{"operation": "subtract", "operands": [50, 8]}' --idempotency-key demo-1
expect '{"result": 42, "operation": "subtract", "operation_count": 3, "durable": true}'

say "6. Results shared through the tuple space"
ask tuplespace-calculator/ann '{"operation": "add", "operands": [1, 2]}'
expect '{"result": 3, "operation": "add", "tuplespace_used": true}'
ask tuplespace-calculator/ann '{"operation": "power", "operands": [2, 10]}'
expect '{"result": 1024, "operation": "power", "tuplespace_used": true}'
echo "another actor, ben, sees what ann wrote:"
ask tuplespace-calculator/ben '{"operation": "count_results"}'
expect '{"count": 2}'
ask durable-calculator '{"operation": "get_state"}'
STATE=$REPLY
expect '{"last_operation": "subtract", "last_result": 42, "operation_count": 3, "history": [{"operation": "add", "result": 15}, {"operation": "multiply", "result": 42}, {"operation": "subtract", "result": 42}]}'
ask tuplespace-calculator/ben '{"operation": "read_results"}'
RESULTS=$REPLY

say "7. kill -9"
kill -KILL "$NODE_PID"
wait "$NODE_PID" 2>/dev/null || true
echo "node $NODE_PID is dead; it had no chance to save anything"
NODE_PID=
start_node

say "8. Count and history are intact"
ask durable-calculator '{"operation": "get_state"}'
expect "$STATE"
ask durable-calculator '{"operation": "add", "operands": [1, 1]}'
expect '{"result": 2, "operation": "add", "operation_count": 4, "durable": true}'

say "9. The repeated request still gets its stored reply"
ask durable-calculator '{"operation": "subtract", "operands": [50, 8]}' --idempotency-key demo-1
expect '{"result": 42, "operation": "subtract", "operation_count": 3, "durable": true}'

say "10. The tuple space still holds the results, each once"
ask tuplespace-calculator/ben '{"operation": "count_results"}'
expect '{"count": 2}'
ask tuplespace-calculator/ben '{"operation": "read_results"}'
expect "$RESULTS"

say "All answers were as expected. README.md says how to go on by hand."
