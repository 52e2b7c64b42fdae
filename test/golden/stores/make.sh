#!/bin/sh
# Makes one of the stores in this folder: make.sh CHECKOUT NAME, with a checkout of an older commit in which node_modules is
# there. README.md has the commits. It needs kcat, mosquitto's clients and sqlite3, and the ports 21411 to 21413.
set -eu
checkout=$(cd "$1" && pwd)
name=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$(mktemp -d)
broker() {
  "$root/node_modules/.bin/node" "$checkout/cmd/broker/main.ts" -address localhost:21411 -kafka localhost:21412 \
    -log 'kept/#' -data-dir "$work/data" >"$work/out" 2>&1 &
  broker=$!
  until grep -q 'is listening on\|"listeners"' "$work/out"; do kill -0 $broker; sleep 0.2; done
}
tool() {
  main=$checkout/cmd/$1/main.ts
  shift
  "$root/node_modules/.bin/node" "$main" "$@"
}
sub() { mosquitto_sub -p 21411 "$@"; }
pub() { mosquitto_pub -p 21411 -q 1 "$@"; }

broker
case $name in format-1 | format-2) ;; *)
  password=$work/password
  (umask 077 && echo Wd7fgT2p >"$password")
  # Whoever shows nothing may do everything, so that the clients below need no password.
  tool tinymq acl add -allow all -users anonymous -topics '#' -consumer-groups '*' -sessions '*' -transactional-ids '*' -broker -data-dir "$work/data"
  tool tinymq users add anna -admin -password-file "$password" -data-dir "$work/data"
  tool tinymq acl add -allow publish -groups devices -topics 'devices/%u/#' -data-dir "$work/data"
  # The oldest of these had no limits yet.
  tool tinymq limits add connections=7 -user anna -data-dir "$work/data" || echo 'no limits' >&2
  ;;
esac
# Logs: of live messages, and of a Kafka client, with a key and headers, one compressed batch; what a group has read of it.
for message in one two three; do
  tool publisher -address localhost:21411 -topic kept/a -message $message
done
tool tinymq topics create orders -b localhost:21412 -partitions 2
printf 'alice:apple\nbob:pears\n' | kcat -b localhost:21412 -P -t orders -p 0 -K: -H kind=fruit -z gzip
printf 'carol:plums\n' | kcat -b localhost:21412 -P -t orders -p 1 -K: -X enable.idempotence=true
timeout 20 kcat -b localhost:21412 -G billing -o beginning -c 3 -X auto.offset.reset=earliest orders >/dev/null
if [ "$name" != format-1 ]; then
  # A session whose client is away, with a message that waits; a retained message; a client with a will that is there
  # when the broker is killed.
  sub -V mqttv5 -i shed -c -q 1 -x 4294967295 -t 'sensors/#' -E
  pub -t sensors/temp -m 22.5
  pub -t state/door -m open -r
  mosquitto_sub -p 21411 -V mqttv5 -i willing -c -q 1 -x 4294967295 -t nothing --will-topic wills/willing --will-payload gone --will-retain >/dev/null 2>&1 &
  subscriber=$!
  sleep 2
fi
sleep 1
kill -9 $broker
[ -z "${subscriber-}" ] || kill $subscriber 2>/dev/null || true
sqlite3 "$work/data/tinymq.db" 'PRAGMA wal_checkpoint(TRUNCATE)' 'PRAGMA user_version'
case $name in
  format-[1-4]*) gzip -9 -n -c "$work/data/tinymq.db" >"$here/$name.db.gz" ;;
  # Since format 5 logs lie in files of their own.
  *) tar -C "$work/data" --exclude 'lock*' --exclude '.lock' --exclude '*.sock' --owner 0 --group 0 -cf - . | gzip -9 -n >"$here/$name.tar.gz" ;;
esac
rm -r "$work"
