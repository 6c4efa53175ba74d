#!/usr/bin/env bash
# Runs a command against Apache Kafka: one KRaft node in a temporary folder, gone afterwards.
#
# Usage: infra/local/kafka/run.sh COMMAND...
# e.g.   run.sh cargo t -p millrace-local --test it -- broker --test-threads=1
# The command sees MILLRACE_KAFKA_BROKERS and MILLRACE_KAFKA_PID_FILE; it may kill the process named
# there, which is then started again. Exit code: the command's; 1 if Kafka does not start.
# Needs Java 17 and Maven; the jars are kept in the cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}/kafka
fail() {
  echo "kafka: $*" >&2
  exit 1
}
[ $# -gt 0 ] || fail "usage: run.sh COMMAND..."
command -v java >/dev/null || fail "'java' is missing. Debian/Ubuntu: apt-get install openjdk-17-jre-headless"

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
if ! cmp -s "$here/pom.xml" "$cache/pom.xml"; then
  command -v mvn >/dev/null || fail "'mvn' is missing. Debian/Ubuntu: apt-get install maven"
  rm -rf "$cache/lib"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/lib" >&2 ||
    fail "Maven could not get Apache Kafka as pinned in $here/pom.xml. The first run needs a network."
  cp "$here/pom.xml" "$cache/pom.xml"
fi
flock -u 9

work=$(mktemp -d)
keeper=""
end() {
  # The keeper first, or it would start Kafka again.
  [ -z "$keeper" ] || kill -KILL "$keeper" 2>/dev/null || true
  [ ! -f "$work/pid" ] || kill -KILL "$(cat "$work/pid")" 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT

# Two free ports: the broker's and the controller's.
read -r port controller < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')
cat >"$work/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$work/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
CONF
java -cp "$cache/lib/*" kafka.tools.StorageTool format --cluster-id millrace-conformance-1 \
  --config "$work/server.properties" >"$work/format.out" 2>&1 || fail "cannot format: $(tail -3 "$work/format.out")"
keep() {
  while :; do
    java -Xmx512m -cp "$cache/lib/*" kafka.Kafka "$work/server.properties" >>"$work/kafka.out" 2>&1 9>&- &
    echo $! >"$work/pid"
    wait $! || true
    sleep 0.2
  done
}
keep &
keeper=$!
# Not a job any more, so that its end is not told as if something had gone wrong.
disown "$keeper"
for _ in $(seq 300); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    MILLRACE_KAFKA_BROKERS=127.0.0.1:$port MILLRACE_KAFKA_PID_FILE=$work/pid "$@"
    exit
  fi
  sleep 0.2
done
fail "Kafka does not listen: $(tail -5 "$work/kafka.out")"
